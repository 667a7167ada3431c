"""Divisions that were not drawn here: a person's own table, or the folders that a data set was published in."""

from __future__ import annotations

from typing import NoReturn

import pandas as pd

from mammoscan.errors import MammoscanError

# What a published division calls its sides, and what they are here.
PUBLISHED_ROLES = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}


def adopt_table(given: pd.DataFrame, samples: pd.DataFrame, folds: int) -> pd.DataFrame:
    """Bring a person's table into the samples' order; its own ``row`` is not trusted."""
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
        refuse_ids(found, ids)
    table = (
        given.assign(sample_id=found).set_index("sample_id").reindex(ids.to_list())[expected].reset_index()
    )
    table.insert(1, "row", range(len(table)))
    return table


def adopt_published(samples: pd.DataFrame, used: pd.Index, folds: int) -> pd.DataFrame:
    """Take the division that the data set was published with."""
    if "published" not in samples.columns:
        raise MammoscanError("samples: no column published, which split.together=published needs")
    if folds != 1:
        raise MammoscanError(
            f"split.together is published, which is one division; {folds} folds were asked for"
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
            f"{', '.join(PUBLISHED_ROLES)}: that data set has no published division, set split.together: patient"
        )
    return pd.DataFrame(
        {
            "sample_id": samples["sample_id"].astype(str).to_numpy(),
            "row": range(len(samples)),
            "fold_0": roles.to_numpy(dtype=object),
        }
    )


def refuse_ids(found: pd.Series, expected: pd.Series) -> NoReturn:
    """Raise, saying how the sample ids of a division differ from the samples'."""
    missing = [name for name in expected if name not in set(found)][:1]
    extra = [name for name in found if name not in set(expected)][:1]
    twice = list(found[found.duplicated()][:1])
    what = (
        f"{missing[0]} is missing"
        if missing
        else f"{extra[0]} is not a sample"
        if extra
        else f"{twice[0]} stands twice"
        if twice
        else "they stand in another order"
    )
    raise MammoscanError(
        f"folds: sample ids differ from the samples' ({len(found)} found, {len(expected)} expected): {what}; "
        "write the table again from these samples"
    )
