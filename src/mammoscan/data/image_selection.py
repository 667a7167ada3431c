"""Selecting the images of a study, with a reason for each one that is left out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.params import PackParams, Question, TargetQuestion

EVERYTHING = "all"


def choose_images(
    images: pd.DataFrame, malformed: pd.DataFrame, question: Question, pack: PackParams
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose the images of a question.

    Args:
        images: The data set's table.
        malformed: ``source`` and ``reason`` of files that could not be indexed.
        question: The column to predict, its labels, and filters.
        pack: ``limit`` takes a sample with the same shares of labels and patients.

    Returns:
        ``chosen``, with ``label`` and ``target`` as the question has them, in the order of ``images``; and
        ``left_out`` with ``source`` and ``reason`` of everything else.

    Raises:
        MammoscanError: If a column is missing, or a label has no image.
    """
    _require_columns(images, question)
    labels = question.map_labels()
    values = images[question.about].astype(str)
    reasons = pd.Series("", index=images.index, dtype=object)
    other = ~values.isin(list(labels))
    reasons[other] = (
        "labelled " + values[other] + ": the question is about " + " and ".join(question.labels) + " only"
    )
    if question.groups:
        group = images["group"].astype(str)
        other = ~group.isin(question.groups) & (reasons == "")
        reasons[other] = (
            "of group " + group[other] + ": the question is about " + " ".join(question.groups) + " only"
        )
    for column, wanted in question.where.items():
        kept = {str(value) for value in (wanted if isinstance(wanted, tuple) else (wanted,))}
        found = images[column].astype(str)
        other = ~found.isin(kept) & (reasons == "") & (EVERYTHING not in kept)
        reasons[other] = (
            f"{column} " + found[other] + f": the question is about {' '.join(sorted(kept))} only"
        )
    chosen = images[reasons == ""].assign(label=values.map(labels))
    _require_labels(chosen, images, question)
    if pack.limit is not None and pack.limit < len(chosen):
        sampled = sample_images(chosen, pack.limit, pack.seed)
        left = chosen.index.difference(sampled.index)
        reasons[left] = f"not in the sample of {pack.limit:,} images that pack.limit asks for"
        chosen = sampled
    chosen = chosen.assign(target=chosen["label"].map(question.labels.index).astype("int64"))
    left_out = images.loc[reasons != "", ["source"]].assign(reason=reasons[reasons != ""])
    return chosen.reset_index(drop=True), pd.concat([malformed, left_out], ignore_index=True)


THIRDS = ("lowest third", "middle third", "highest third")


def choose_targets(
    images: pd.DataFrame, malformed: pd.DataFrame, question: TargetQuestion, pack: PackParams
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose the images that have the number or the level that a question is about.

    Returns:
        ``chosen``, with the number or the level's place as ``target`` and, for a division with the same spread in each
        fold, the level or the third of the numbers as ``label``; and ``left_out`` as ``choose_images`` returns it.
    """
    if question.about not in images.columns:
        raise MammoscanError(
            f"question.about names the column {question.about!r}, expected one of the images': "
            + ", ".join(images.columns)
        )
    values = images[question.about].astype(str).str.strip()
    if question.kind == "levels":
        target = values.map({level: float(place) for place, level in enumerate(question.levels)})
        expected = f"one of the levels {', '.join(question.levels)}"
    else:
        target = pd.to_numeric(values, errors="coerce").replace([np.inf, -np.inf], np.nan)
        expected = "a number"
    known = target.notna()
    if not known.any():
        raise MammoscanError(
            f"no image has {expected} in {question.about} (found: {', '.join(sorted(set(values))[:5]) or 'none'}); "
            "check images.label_from and question"
        )
    reasons = "found " + values + f", expected {expected}"
    if question.kind == "levels":
        missing = [level for level in question.levels if level not in set(values)]
        if missing:
            raise MammoscanError(
                f"level {missing[0]!r}: no image found, expected some (found: {', '.join(sorted(set(values))[:10])}); "
                "check question.levels"
            )
        labels = values
    else:
        labels = _name_thirds(target)
    chosen = images[known].assign(label=labels[known], target=target[known].astype(float))
    chosen = chosen.assign(group=chosen["label"])
    left_out = images.loc[~known, ["source"]].assign(reason=reasons[~known])
    if pack.limit is not None and pack.limit < len(chosen):
        sampled = sample_images(chosen, pack.limit, pack.seed)
        others = chosen.loc[chosen.index.difference(sampled.index), ["source"]]
        others = others.assign(reason=f"not in the sample of {pack.limit:,} images that pack.limit asks for")
        chosen, left_out = sampled, pd.concat([left_out, others])
    return chosen.reset_index(drop=True), pd.concat([malformed, left_out], ignore_index=True)


def _name_thirds(target: pd.Series) -> pd.Series:
    """Return the third in which each number lies; where many are equal there may be fewer than three."""
    if target.nunique() < 2:
        raise MammoscanError(
            f"all images have the number {target.dropna().iloc[0]:g}, expected different ones; check images.label_from"
        )
    limits = sorted({target.quantile(share) for share in (1 / 3, 2 / 3)} - {target.max()})
    limits = limits or [target[target < target.max()].max()]
    names = THIRDS if len(limits) == 2 else ("lower part", "higher part")
    places = np.searchsorted(limits, target.to_numpy(), side="left")
    return pd.Series([names[place] for place in places], index=target.index)


def sample_images(images: pd.DataFrame, limit: int, seed: int) -> pd.DataFrame:
    """Draw a sample in which labels and patients have the same shares as in the whole.

    Args:
        images: One row per image.
        limit: Size of the sample.
        seed: Seed of the draw.

    Returns:
        The rows drawn, in their former order.
    """
    rng = np.random.default_rng(seed)
    patients, names = pd.factorize(images["patient_id"], sort=True)
    labels = pd.factorize(images["label"], sort=True)[0]
    # Patients stand in a drawn order, and their images in another, so that the seed decides who is taken.
    order = np.lexsort([rng.random(len(images)), rng.permutation(len(names))[patients], labels])
    # Every so many-th along the line of labels and, within them, patients.
    places = ((np.arange(limit) + 0.5) * len(images) / limit).astype(int)
    return images.iloc[np.sort(order[places])]


def _require_columns(images: pd.DataFrame, question: Question) -> None:
    for key, column in (("about", question.about), *(("where", name) for name in question.where)):
        if column not in images.columns:
            raise MammoscanError(
                f"question.{key} names the column {column!r}, expected one of the images': {', '.join(images.columns)}"
            )


def _require_labels(chosen: pd.DataFrame, images: pd.DataFrame, question: Question) -> None:
    """Raise if a label does not occur in the data set; too few images of one are for the split to reject."""
    known = set(images[question.about].astype(str))
    labels = question.map_labels()
    for label in question.labels:
        if chosen.empty or not any(labels.get(name) == label for name in known):
            found = ", ".join(sorted(known)[:10]) or "none"
            raise MammoscanError(
                f"label {label!r}: no image found, expected some (labels found: {found}); "
                "check question.labels and the folder of that class"
            )
