"""Split samples into training, validation and test sides: drawn here, given as a table, or as published."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import NoReturn

import numpy as np
import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.params import SplitParams

logger = logging.getLogger("mammoscan")

# The published names of the sides, and ours.
PUBLISHED_ROLES = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}


def align_given_folds(given: pd.DataFrame, samples: pd.DataFrame, folds: int) -> pd.DataFrame:
    """Bring a given table of folds into the samples' order; its own ``row`` is ignored."""
    if "sample_id" not in given.columns:
        raise MammoscanError(f"folds: columns {list(given.columns)} found, expected sample_id, fold_0 …")
    expected = [f"fold_{fold}" for fold in range(folds)]
    names = [str(name) for name in given.columns if str(name).startswith("fold_")]
    if sorted(names) != sorted(expected):
        raise MammoscanError(
            f"folds: columns {names} found, expected {expected} for a study of {folds} fold(s)"
        )
    found = given["sample_id"].astype(str)
    ids = samples["sample_id"].astype(str)
    if found.duplicated().any() or set(found) != set(ids):
        _raise_id_mismatch(found, ids)
    table = (
        given.assign(sample_id=found).set_index("sample_id").reindex(ids.to_list())[expected].reset_index()
    )
    table.insert(1, "row", range(len(table)))
    return table


def read_published_split(
    samples: pd.DataFrame, used: pd.Index, folds: int, split: SplitParams
) -> pd.DataFrame:
    """Return the split that the data set was published with; without a validation side one is drawn from train."""
    if "published" not in samples.columns:
        raise MammoscanError("samples: no column published, which split.together=published needs")
    if folds != 1:
        raise MammoscanError(
            f"split.together is published, which is a single split, but the study has {folds} folds"
        )
    roles = (
        samples["published"]
        .astype(str)
        .str.lower()
        .map(PUBLISHED_ROLES)
        .where(samples.index.isin(used), "out")
    )
    if roles.isna().any():
        row = samples[roles.isna()].iloc[0]
        raise MammoscanError(
            f"samples: {row['sample_id']} is published in {row['published']!r}, expected one of "
            f"{', '.join(PUBLISHED_ROLES)}: the data set has no published split, set split.together: patient"
        )
    if _wants_validation(split) and not (roles == "validation").any():
        roles = _draw_validation(samples, roles, split)
    return pd.DataFrame(
        {
            "sample_id": samples["sample_id"].astype(str).to_numpy(),
            "row": range(len(samples)),
            "fold_0": roles.to_numpy(dtype=object),
        }
    )


def _draw_validation(samples: pd.DataFrame, roles: pd.Series, split: SplitParams) -> pd.Series:
    """Draw whole patients of a published training side as its missing validation side."""
    training = roles == "train"
    patients = samples.loc[training, "patient_id"].astype(str)
    strata = pd.DataFrame({"label": samples.loc[training, "label"].astype(str)})
    shares = [split.validation_fraction, 1 - split.validation_fraction]
    drawn = assign_groups(strata, patients, shares, [split.seed, 1])
    chosen = patients.isin(drawn.index[drawn == 0]).reindex(roles.index, fill_value=False)
    logger.warning(
        "no validation images were published: %d of %d training images, those of %d patients, were drawn to choose the "
        "epoch",
        int(chosen.sum()),
        int(training.sum()),
        int((drawn == 0).sum()),
    )
    return roles.mask(chosen, "validation")


def _raise_id_mismatch(found: pd.Series, expected: pd.Series) -> NoReturn:
    """Raise an error that says how the ids of a table of folds differ from the samples'."""
    missing = [name for name in expected if name not in set(found)][:1]
    extra = [name for name in found if name not in set(expected)][:1]
    twice = list(found[found.duplicated()][:1])
    what = (
        f"{missing[0]} is missing"
        if missing
        else f"{extra[0]} is not a sample"
        if extra
        else f"{twice[0]} is there twice"
        if twice
        else "they are in another order"
    )
    raise MammoscanError(
        f"folds: sample ids differ from the samples' ({len(found)} found, {len(expected)} expected): {what}; "
        "write the table again from these samples"
    )


# More draws cost time and gain little once the groups are many.
DRAWS = 8
MANY_GROUPS = 5000


def assign_groups(strata: pd.DataFrame, groups: pd.Series, shares: list[float], seed: list[int]) -> pd.Series:
    """Assign groups of samples to folds so that each fold gets its share of every stratum.

    Args:
        strata: One row per sample; its columns are the strata to keep even, the most important first.
        groups: The group (patient, region or image) of each sample, in the same order.
        shares: The share of each fold; they sum to 1.
        seed: Seed of the draw.

    Returns:
        The fold (int) of each group, indexed by group.
    """
    rng = np.random.default_rng(seed)
    codes, names = pd.factorize(groups, sort=True)
    if len(names) == len(codes):
        order = strata.iloc[np.argsort(codes)].reset_index(drop=True)
        return pd.Series(_assign_single_samples(order, shares, rng), index=names)
    profiles = _count_profiles(strata, codes, len(names))
    draws = DRAWS if len(names) <= MANY_GROUPS else 1
    drawn = [_assign_greedily(profiles, np.asarray(shares), rng) for _ in range(draws)]
    best = min(range(draws), key=lambda index: drawn[index][1])
    return pd.Series(drawn[best][0], index=names)


def _assign_single_samples(strata: pd.DataFrame, shares: list[float], rng: np.random.Generator) -> np.ndarray:
    """Assign groups of one sample each: exact sizes, by systematic sampling along the sorted strata."""
    count = len(strata)
    keys = [rng.random(count), *(pd.factorize(strata[name], sort=True)[0] for name in strata.columns[::-1])]
    sizes = np.floor(np.asarray(shares) * count + 1e-9).astype(int)
    remainders = np.asarray(shares) * count - sizes
    for fold in np.argsort(-remainders, kind="stable")[: count - sizes.sum()]:
        sizes[fold] += 1
    # Each fold's places are spread evenly over the sorted samples, hence evenly over every stratum.
    places = np.concatenate([(np.arange(size) + 0.5) * count / max(size, 1) for size in sizes])
    labels = np.repeat(rng.permutation(len(shares)) if len(set(sizes)) == 1 else np.arange(len(sizes)), sizes)
    folds = np.empty(count, dtype=int)
    folds[np.lexsort(keys)] = labels[np.argsort(places, kind="stable")]
    return folds


def _count_profiles(strata: pd.DataFrame, codes: np.ndarray, groups: int) -> np.ndarray:
    """Count what each group adds: itself, samples of every stratum, levels of the first."""
    columns = [np.ones((groups, 1))]
    for position, name in enumerate(strata.columns):
        levels, values = pd.factorize(strata[name], sort=True)
        counts = np.zeros((groups, len(values)))
        np.add.at(counts, (codes, levels), 1)
        columns.append(counts)
        if position == 0:
            columns.append((counts > 0).astype(float))
    return np.hstack(columns)


def _assign_greedily(
    profiles: np.ndarray, shares: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Assign each group, the rarest first, to the fold that lacks most of what it adds; return folds, cost."""
    totals = profiles.sum(axis=0)
    targets = np.outer(shares, totals)
    held = np.zeros_like(targets)
    folds = np.empty(len(profiles), dtype=int)
    shuffled = rng.permutation(len(profiles))
    # Rare groups go first: a patient with one of a label's few cases must not come when the folds are full.
    weight = (profiles / totals).max(axis=1)
    for group in shuffled[np.argsort(-weight[shuffled], kind="stable")]:
        added = profiles[group]
        costs = ((2 * added * (held - targets) + added**2) / targets).sum(axis=1)
        cheapest = np.flatnonzero(costs <= costs.min() + 1e-9)
        fold = cheapest[rng.integers(len(cheapest))]
        folds[group] = fold
        held[fold] += added
    return folds, float((((held - targets) ** 2) / targets).sum())


GROUP_COLUMNS = {
    "patient": "patient_id",
    "region": "region_id",
    "image": "sample_id",
    "published": "sample_id",
}
LOCKBOX = "lockbox"
UNUSED = ("out", LOCKBOX)
ROLES = ("train", "validation", "test", *UNUSED)


def divide_samples(
    samples: pd.DataFrame,
    split: SplitParams,
    folds: int,
    pool: Collection[str] | None = None,
    given: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Split samples by the groups that must stay together, stratified by label and abnormality class.

    Args:
        samples: One row per sample, in the order of the pixels.
        split: What stays together, the fractions and the seed.
        folds: Number of folds; 1 is a single split with ``split.test_fraction`` as test.
        pool: Ids of the samples to split; all others are ``out``. None means all.
        given: The table in ``split.file``, in the layout of the result, which replaces the drawn one.

    Returns:
        ``sample_id``, ``row`` and one column ``fold_<k>`` per fold: train, validation, test, out or lockbox.

    Raises:
        MammoscanError: If a label has too few groups for the folds, or the given table is invalid.
    """
    if given is not None:
        _reject_two_lockboxes(split)
        table = align_given_folds(given, samples, folds)
        check_folds(table, samples, split)
        return table
    used = samples if pool is None else samples[samples["sample_id"].isin(set(pool))]
    if split.together == "published":
        table = read_published_split(samples, used.index, folds, split)
        check_folds(table, samples, split)
        return table
    locked = _draw_lockbox(used, split)
    used = used[~locked]
    groups = _read_groups(used, split)
    _require_groups(used, groups, split, folds)
    strata = _read_strata(used)
    shares = [1 / folds] * folds if folds > 1 else [split.test_fraction, 1 - split.test_fraction]
    assigned = groups.map(assign_groups(strata, groups, shares, [split.seed, 0]))

    table = pd.DataFrame(
        {"sample_id": samples["sample_id"].astype(str).to_numpy(), "row": range(len(samples))}
    )
    unused = pd.Series("out", index=samples.index, dtype=object)
    unused[locked.index[locked]] = LOCKBOX
    for fold in range(folds):
        roles = pd.Series("train", index=used.index, dtype=object)
        roles[assigned == fold] = "test"
        if _wants_validation(split):
            training = assigned != fold
            chosen = assign_groups(
                strata[training],
                groups[training],
                [split.validation_fraction, 1 - split.validation_fraction],
                [split.seed, 1 + fold],
            )
            roles[training & groups.isin(chosen.index[chosen == 0])] = "validation"
        table[f"fold_{fold}"] = roles.reindex(samples.index).fillna(unused).to_numpy(dtype=object)
    check_folds(table, samples, split)
    return table


def check_folds(folds: pd.DataFrame, samples: pd.DataFrame, split: SplitParams) -> None:
    """Reject folds whose results would mislead.

    Args:
        folds: The table that ``divide_samples`` returns, or a given one in that layout.
        samples: The samples that it splits.
        split: Which groups must stay together, and whether a validation side is expected.

    Raises:
        MammoscanError: If the ids differ, a role is unknown, a group is on two sides of a fold or tested twice, or a
            fold lacks a label in training or test, or a group is in the lockbox and elsewhere.
    """
    names = _list_folds(folds)
    ids = samples["sample_id"].astype(str).reset_index(drop=True)
    found = folds["sample_id"].astype(str).reset_index(drop=True)
    if not found.equals(ids):
        _raise_id_mismatch(found, ids)
    groups = _read_groups(samples, split).reset_index(drop=True)
    labels = samples["label"].astype(str).reset_index(drop=True)
    _reject_divided_lockbox(folds, groups, split)
    tested = pd.Series(False, index=groups.index)
    kinds: set[str] = set()
    for name in names:
        roles = folds[name].astype(str).reset_index(drop=True)
        unknown = sorted(set(roles) - set(ROLES))
        if unknown:
            raise MammoscanError(
                f"folds: {name} holds the role {unknown[0]!r}, expected one of {list(ROLES)}"
            )
        _reject_divided_group(name, groups, roles, split)
        testing = roles == "test"
        again = groups[testing & groups.isin(set(groups[tested]))]
        if len(again):
            raise MammoscanError(
                f"folds: {split.together} {again.iloc[0]} is test in {name} and in an earlier fold, "
                "expected once"
            )
        tested |= testing
        if _wants_validation(split) and not (roles == "validation").any():
            raise MammoscanError(
                f"folds: {name} has no validation row, expected some; add them or set "
                "split.validation_fraction to 0"
            )
        kinds |= set(labels[~roles.isin(UNUSED)])
    for name in names:
        _require_labels(name, folds[name].astype(str).reset_index(drop=True), labels, groups, kinds, split)


def split_folds(folds: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return each fold's rows of the table of folds.

    Args:
        folds: The table that ``divide_samples`` returns.

    Returns:
        For each ``fold_<k>``: ``sample_id``, ``row`` and ``role`` of the rows that have a part in it.
    """
    parts = {}
    for name in _list_folds(folds):
        rows = folds[["sample_id", "row"]].assign(role=folds[name].astype(str))
        parts[name] = rows[~rows["role"].isin(UNUSED)].reset_index(drop=True)
    return parts


def find_used_rows(folds: pd.DataFrame) -> np.ndarray:
    """Return the rows that have a part in at least one fold, in order: all that a final model may learn from."""
    used = ~folds[_list_folds(folds)].isin(UNUSED).all(axis=1)
    return np.sort(folds.loc[used, "row"].to_numpy(dtype=int))


def find_lockbox_rows(folds: pd.DataFrame) -> np.ndarray:
    """Return the rows that are in the lockbox, in order."""
    locked = (folds[_list_folds(folds)] == LOCKBOX).any(axis=1)
    return np.sort(folds.loc[locked, "row"].to_numpy(dtype=int))


def _read_strata(samples: pd.DataFrame) -> pd.DataFrame:
    strata = pd.DataFrame({"label": samples["label"].astype(str)})
    if "group" in samples.columns:
        strata["group"] = strata["label"] + " " + samples["group"].astype(str)
    return strata


# Far from the seeds of the folds, so that another number of folds leaves the lockbox as it is.
_LOCKBOX_DRAW = 1 << 20


def _draw_lockbox(samples: pd.DataFrame, split: SplitParams) -> pd.Series:
    """Draw the groups of the lockbox, stratified like the folds; True for each sample in it."""
    if not split.lockbox:
        return pd.Series(False, index=samples.index)
    groups = _read_groups(samples, split)
    shares = [split.lockbox, 1 - split.lockbox]
    drawn = assign_groups(_read_strata(samples), groups, shares, [split.lockbox_seed, _LOCKBOX_DRAW])
    locked = groups.map(drawn) == 0
    missing = sorted(set(samples["label"].astype(str)) - set(samples.loc[locked, "label"].astype(str)))
    if missing:
        raise MammoscanError(
            f"split.lockbox is {split.lockbox:g}: no {split.together} with the label {missing[0]!r} among the "
            f"{groups[locked].nunique()} set aside, expected at least one; use a larger share or 0"
        )
    return locked


def _reject_two_lockboxes(split: SplitParams) -> None:
    if split.lockbox:
        raise MammoscanError(
            f"split.lockbox is {split.lockbox:g} and split.file is set, expected one of the two: give the rows of "
            f"the lockbox the role {LOCKBOX} in every fold of the file, and set split.lockbox to 0"
        )


def _reject_divided_lockbox(folds: pd.DataFrame, groups: pd.Series, split: SplitParams) -> None:
    """Reject a group that is in the lockbox in one fold, or by one sample, and not in another."""
    roles = folds[_list_folds(folds)].astype(str).reset_index(drop=True)
    locked = roles == LOCKBOX
    partly = groups.isin(set(groups[locked.any(axis=1)])) & ~locked.all(axis=1)
    if partly.any():
        other = next(role for role in roles[partly].iloc[0] if role != LOCKBOX)
        raise MammoscanError(
            f"folds: {split.together} {groups[partly].iloc[0]} is in the lockbox and also {other}, expected all "
            "its samples in the lockbox in every fold"
        )


def _wants_validation(split: SplitParams) -> bool:
    return split.choose_epoch_on == "validation" and split.validation_fraction > 0


def _list_folds(folds: pd.DataFrame) -> list[str]:
    names = [str(name) for name in folds.columns if str(name).startswith("fold_")]
    if not names or "sample_id" not in folds.columns or "row" not in folds.columns:
        raise MammoscanError(f"folds: columns {list(folds.columns)} found, expected sample_id, row, fold_0 …")
    return names


def _read_groups(samples: pd.DataFrame, split: SplitParams) -> pd.Series:
    column = GROUP_COLUMNS[split.together]
    if column not in samples.columns:
        raise MammoscanError(f"samples: no column {column}, which split.together={split.together} needs")
    groups = samples[column]
    if groups.isna().any():
        row = samples.loc[groups.isna(), "sample_id"].iloc[0]
        raise MammoscanError(f"samples: {row} has no {column}, which split.together={split.together} needs")
    return groups.astype(str)


def _require_groups(samples: pd.DataFrame, groups: pd.Series, split: SplitParams, folds: int) -> None:
    needed = max(folds, 3 if _wants_validation(split) else 2)
    if samples["label"].nunique() < 2:
        held = f"labels {sorted(set(samples['label']))} of {groups.nunique()} {split.together}s found"
        raise MammoscanError(
            f"samples: {held}, expected at least two labels of {needed} {split.together}s each; use more data"
        )
    for label, found in groups.groupby(samples["label"].astype(str)).nunique().items():
        if found < needed:
            raise MammoscanError(
                f"label {label!r}: {found} {split.together}s found, {needed} needed for {folds} fold(s); "
                + (f"set split.folds to {found}" if 2 < found < folds else "use more data")
            )


def _reject_divided_group(name: str, groups: pd.Series, roles: pd.Series, split: SplitParams) -> None:
    used = ~roles.isin(UNUSED)
    sides = roles[used].groupby(groups[used]).nunique()
    if (sides > 1).any():
        group = sides.index[sides > 1][0]
        where = sorted(set(roles[used & (groups == group)]))
        raise MammoscanError(
            f"folds: {split.together} {group} is in {' and '.join(where)} of {name}, "
            "expected on one side only"
        )


def _require_labels(
    name: str, roles: pd.Series, labels: pd.Series, groups: pd.Series, kinds: set[str], split: SplitParams
) -> None:
    for side in ("train", "test"):
        for label in sorted(kinds):
            if not ((roles == side) & (labels == label)).any():
                found = groups[(labels == label) & ~roles.isin(UNUSED)].nunique()
                raise MammoscanError(
                    f"folds: {name} has no {label!r} in {side}: {split.together}s found 0, needed 1 "
                    f"(of {found} with that label); use more data, another seed or fewer folds"
                )
