"""Balance classes by random undersampling: by label, or within abnormality classes as the mini-MIAS article did."""

from __future__ import annotations

import zlib

import numpy as np
import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.params import BalanceParams

NORMAL = "NORM"


def balance_samples(
    samples: pd.DataFrame, balance: BalanceParams, reference: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Undersample the more frequent severities.

    ``class`` cuts, within each group, the larger severity to the smaller, and the normal group to the mean
    size that the other groups had before. ``full`` then cuts every group and severity to the smallest that is
    left, and the normal group to twice that. ``label`` cuts every label to the smallest, or to ``balance.most``,
    whatever the groups. ``none`` changes nothing. A group that lacks one of the
    severities is cut to nothing, or the group alone would tell the label. The draw within a group and
    severity does not depend on which other groups are there.

    Args:
        samples: One row per sample; ``group`` and ``severity`` are read (``label`` where there is no severity).
        balance: The method and the seed.
        reference: The samples whose counts set the sizes, where they are not ``samples`` themselves: the
            article balanced all classes together and then took some of them.

    Returns:
        The samples that are kept, same columns, index and order.

    Raises:
        MammoscanError: If nothing would be left.
    """
    if balance.method == "none" or samples.empty:
        return samples
    if balance.method == "label":
        return _cut_labels(samples, balance)
    cells = _name_cells(samples)
    limits = _limit_groups(cells if reference is None else _name_cells(reference), balance)
    kept = np.zeros(len(samples), dtype=bool)
    names = cells["group"] + "/" + cells["kind"]
    for name in sorted(set(names)):
        positions = np.flatnonzero(names == name)
        limit = limits.get(cells["group"].iloc[positions[0]], len(positions))
        rng = np.random.default_rng([balance.seed, zlib.crc32(name.encode())])
        kept[rng.permutation(positions)[:limit]] = True
    return samples[kept]


def balance_rows(rows: pd.DataFrame, samples: pd.DataFrame, balance: BalanceParams) -> pd.DataFrame:
    """Balance one fold's training rows; validation and test rows are never touched.

    Args:
        rows: ``sample_id``, ``row`` and ``role`` of one fold.
        samples: The samples to which ``row`` points.
        balance: The method and the seed.

    Returns:
        The rows that are kept, in the same order.
    """
    training = rows["role"] == "train"
    kept = balance_samples(samples.iloc[rows.loc[training, "row"]], balance)
    ids = set(kept["sample_id"])
    return rows[~training | rows["sample_id"].isin(ids)].reset_index(drop=True)


def count_classes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Count images of each group and severity before and after balancing.

    Args:
        before: The samples before.
        after: The samples after.

    Returns:
        ``group``, ``severity`` (or ``label`` where there is none), ``before``, ``after``.
    """
    name = _kind_column(before)
    counts = [
        _name_cells(samples).groupby(["group", "kind"]).size().rename(when)
        for samples, when in ((before, "before"), (after, "after"))
    ]
    table = pd.concat(counts, axis=1).fillna(0).astype(int).sort_index().reset_index()
    return table.rename(columns={"kind": name})


def _cut_labels(samples: pd.DataFrame, balance: BalanceParams) -> pd.DataFrame:
    labels = samples["label"].astype(str).to_numpy()
    counts = pd.Series(labels).value_counts()
    limit = min(int(counts.min()), balance.most or len(samples))
    kept = np.zeros(len(samples), dtype=bool)
    for label in sorted(counts.index):
        rng = np.random.default_rng([balance.seed, zlib.crc32(label.encode())])
        kept[rng.permutation(np.flatnonzero(labels == label))[:limit]] = True
    return samples[kept]


def _limit_groups(cells: pd.DataFrame, balance: BalanceParams) -> dict[str, int]:
    """Say how many images of each severity a group may keep; a group that is not named keeps all."""
    normal = cells["group"] == NORMAL
    counts = pd.crosstab(cells.loc[~normal, "group"], cells.loc[~normal, "kind"])
    if counts.empty:
        return {}
    smaller = counts.min(axis=1)
    if not smaller.any():
        raise MammoscanError(
            f"balance.method={balance.method}: no group holds each of {list(counts.columns)} (e.g. "
            f"{counts.index[0]}: {list(counts.iloc[0])} images), expected at least one that does; use none"
        )
    if balance.method == "class":
        limits = {str(group): int(count) for group, count in smaller.items()}
        return limits | {NORMAL: round(float(counts.sum(axis=1).mean()))}
    smallest = int(smaller[smaller > 0].min())
    return {str(group): min(int(count), smallest) for group, count in smaller.items()} | {
        NORMAL: 2 * smallest
    }


def _kind_column(samples: pd.DataFrame) -> str:
    return "severity" if "severity" in samples.columns else "label"


def _name_cells(samples: pd.DataFrame) -> pd.DataFrame:
    group = samples["group"] if "group" in samples.columns else pd.Series("all", index=samples.index)
    kind = samples[_kind_column(samples)]
    return pd.DataFrame({"group": group.astype(str), "kind": kind.astype(str)}).reset_index(drop=True)
