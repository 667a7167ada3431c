"""Divide samples into training, validation and test sides, and check such a division.

Divisions that were not drawn here: a person's own table, or the folders that a data set was published in.

Deal units (patients, regions or images) to parts of given shares, so that the parts are alike.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NoReturn

import numpy as np
import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.params import SplitParams

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


# More tries cost time and gain little once the units are many.
TRIES = 8
MANY_UNITS = 5000


def deal_units(strata: pd.DataFrame, units: pd.Series, shares: list[float], seed: list[int]) -> pd.Series:
    """Deal units to parts so that each part gets its share of every stratum.

    Args:
        strata: One row a sample; its columns are the strata to hold even, the most important first.
        units: The unit of each sample, in the same order.
        shares: The share of each part; they sum to 1.
        seed: Seed of the draw.

    Returns:
        The part (int) of each unit, indexed by unit.
    """
    rng = np.random.default_rng(seed)
    codes, names = pd.factorize(units, sort=True)
    if len(names) == len(codes):
        order = strata.iloc[np.argsort(codes)].reset_index(drop=True)
        return pd.Series(_deal_singles(order, shares, rng), index=names)
    profiles = _count_profiles(strata, codes, len(names))
    tries = TRIES if len(names) <= MANY_UNITS else 1
    drawn = [_deal_greedily(profiles, np.asarray(shares), rng) for _ in range(tries)]
    best = min(range(tries), key=lambda index: drawn[index][1])
    return pd.Series(drawn[best][0], index=names)


def _deal_singles(strata: pd.DataFrame, shares: list[float], rng: np.random.Generator) -> np.ndarray:
    """Deal units of one sample each: exact sizes, by systematic sampling along the sorted strata."""
    count = len(strata)
    keys = [rng.random(count), *(pd.factorize(strata[name], sort=True)[0] for name in strata.columns[::-1])]
    sizes = np.floor(np.asarray(shares) * count + 1e-9).astype(int)
    remainders = np.asarray(shares) * count - sizes
    for part in np.argsort(-remainders, kind="stable")[: count - sizes.sum()]:
        sizes[part] += 1
    # Each part's places are spread evenly over the sorted line, hence evenly over every stratum.
    places = np.concatenate([(np.arange(size) + 0.5) * count / max(size, 1) for size in sizes])
    labels = np.repeat(rng.permutation(len(shares)) if len(set(sizes)) == 1 else np.arange(len(sizes)), sizes)
    parts = np.empty(count, dtype=int)
    parts[np.lexsort(keys)] = labels[np.argsort(places, kind="stable")]
    return parts


def _count_profiles(strata: pd.DataFrame, codes: np.ndarray, units: int) -> np.ndarray:
    """Count what each unit brings: itself, samples of every stratum, levels of the first."""
    columns = [np.ones((units, 1))]
    for position, name in enumerate(strata.columns):
        levels, values = pd.factorize(strata[name], sort=True)
        counts = np.zeros((units, len(values)))
        np.add.at(counts, (codes, levels), 1)
        columns.append(counts)
        if position == 0:
            columns.append((counts > 0).astype(float))
    return np.hstack(columns)


def _deal_greedily(
    profiles: np.ndarray, shares: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Give each unit, the rarest first, to the part that lacks most of what it brings; return parts, cost."""
    totals = profiles.sum(axis=0)
    targets = np.outer(shares, totals)
    held = np.zeros_like(targets)
    parts = np.empty(len(profiles), dtype=int)
    shuffled = rng.permutation(len(profiles))
    # What is rare goes first: a patient with the only few cases of a label must not come when all is dealt.
    weight = (profiles / totals).max(axis=1)
    for unit in shuffled[np.argsort(-weight[shuffled], kind="stable")]:
        brought = profiles[unit]
        costs = ((2 * brought * (held - targets) + brought**2) / targets).sum(axis=1)
        cheapest = np.flatnonzero(costs <= costs.min() + 1e-9)
        part = cheapest[rng.integers(len(cheapest))]
        parts[unit] = part
        held[part] += brought
    return parts, float((((held - targets) ** 2) / targets).sum())


UNIT_COLUMNS = {
    "patient": "patient_id",
    "region": "region_id",
    "image": "sample_id",
    "published": "sample_id",
}
ROLES = ("train", "validation", "test", "out")


def divide_samples(
    samples: pd.DataFrame,
    split: SplitParams,
    folds: int,
    pool: Collection[str] | None = None,
    given: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Divide samples by the units that must stay together, stratified by label and group.

    Args:
        samples: One row a sample, in the order of the pixels.
        split: What stays together, the fractions and the seed.
        folds: Number of folds; 1 means a single split with ``split.test_fraction`` as test.
        pool: Identifiers of the samples to divide; all others are ``out``. None means all.
        given: A table in the layout of the result that replaces the drawn one: what ``split.file`` holds.

    Returns:
        ``sample_id``, ``row`` and one column ``fold_<k>`` a fold holding train, validation, test or out.

    Raises:
        MammoscanError: If a label has too few units for the folds, or the given table does not hold.
    """
    if given is not None:
        table = adopt_table(given, samples, folds)
        check_folds(table, samples, split)
        return table
    used = samples if pool is None else samples[samples["sample_id"].isin(set(pool))]
    if split.together == "published":
        table = adopt_published(samples, used.index, folds)
        check_folds(table, samples, split)
        return table
    units = _read_units(used, split)
    _require_units(used, units, split, folds)
    strata = pd.DataFrame({"label": used["label"].astype(str)})
    if "group" in used.columns:
        strata["group"] = strata["label"] + " " + used["group"].astype(str)
    shares = [1 / folds] * folds if folds > 1 else [split.test_fraction, 1 - split.test_fraction]
    parts = units.map(deal_units(strata, units, shares, [split.seed, 0]))

    table = pd.DataFrame(
        {"sample_id": samples["sample_id"].astype(str).to_numpy(), "row": range(len(samples))}
    )
    for fold in range(folds):
        roles = pd.Series("train", index=used.index, dtype=object)
        roles[parts == fold] = "test"
        if _wants_validation(split):
            training = parts != fold
            chosen = deal_units(
                strata[training],
                units[training],
                [split.validation_fraction, 1 - split.validation_fraction],
                [split.seed, 1 + fold],
            )
            roles[training & units.isin(chosen.index[chosen == 0])] = "validation"
        table[f"fold_{fold}"] = roles.reindex(samples.index, fill_value="out").to_numpy(dtype=object)
    check_folds(table, samples, split)
    return table


def check_folds(folds: pd.DataFrame, samples: pd.DataFrame, split: SplitParams) -> None:
    """Refuse a division that would mislead.

    Args:
        folds: The table that ``divide_samples`` returns, or a person's own in that layout.
        samples: The samples it divides.
        split: What must stay together, and whether a validation side is expected.

    Raises:
        MammoscanError: If the identifiers differ, a role is unknown, a unit stands on two sides of a fold or
            is tested twice, or a fold lacks a label in training or test.
    """
    names = _list_folds(folds)
    ids = samples["sample_id"].astype(str).reset_index(drop=True)
    found = folds["sample_id"].astype(str).reset_index(drop=True)
    if not found.equals(ids):
        refuse_ids(found, ids)
    units = _read_units(samples, split).reset_index(drop=True)
    labels = samples["label"].astype(str).reset_index(drop=True)
    tested = pd.Series(False, index=units.index)
    kinds: set[str] = set()
    for name in names:
        roles = folds[name].astype(str).reset_index(drop=True)
        unknown = sorted(set(roles) - set(ROLES))
        if unknown:
            raise MammoscanError(
                f"folds: {name} holds the role {unknown[0]!r}, expected one of {list(ROLES)}"
            )
        _refuse_divided_unit(name, units, roles, split)
        testing = roles == "test"
        again = units[testing & units.isin(set(units[tested]))]
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
        kinds |= set(labels[roles != "out"])
    for name in names:
        _require_labels(name, folds[name].astype(str).reset_index(drop=True), labels, units, kinds, split)


def split_folds(folds: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Take the table of folds apart.

    Args:
        folds: The table that ``divide_samples`` returns.

    Returns:
        For each ``fold_<k>`` its used rows: ``sample_id``, ``row``, ``role``; rows that are out are absent.
    """
    parts = {}
    for name in _list_folds(folds):
        rows = folds[["sample_id", "row"]].assign(role=folds[name].astype(str))
        parts[name] = rows[rows["role"] != "out"].reset_index(drop=True)
    return parts


def _wants_validation(split: SplitParams) -> bool:
    return split.choose_epoch_on == "validation" and split.validation_fraction > 0


def _list_folds(folds: pd.DataFrame) -> list[str]:
    names = [str(name) for name in folds.columns if str(name).startswith("fold_")]
    if not names or "sample_id" not in folds.columns or "row" not in folds.columns:
        raise MammoscanError(f"folds: columns {list(folds.columns)} found, expected sample_id, row, fold_0 …")
    return names


def _read_units(samples: pd.DataFrame, split: SplitParams) -> pd.Series:
    column = UNIT_COLUMNS[split.together]
    if column not in samples.columns:
        raise MammoscanError(f"samples: no column {column}, which split.together={split.together} needs")
    units = samples[column]
    if units.isna().any():
        row = samples.loc[units.isna(), "sample_id"].iloc[0]
        raise MammoscanError(f"samples: {row} has no {column}, which split.together={split.together} needs")
    return units.astype(str)


def _require_units(samples: pd.DataFrame, units: pd.Series, split: SplitParams, folds: int) -> None:
    needed = max(folds, 3 if _wants_validation(split) else 2)
    if samples["label"].nunique() < 2:
        held = f"labels {sorted(set(samples['label']))} of {units.nunique()} {split.together}s found"
        raise MammoscanError(
            f"samples: {held}, expected at least two labels of {needed} {split.together}s each; use more data"
        )
    for label, found in units.groupby(samples["label"].astype(str)).nunique().items():
        if found < needed:
            raise MammoscanError(
                f"label {label!r}: {found} {split.together}s found, {needed} needed for {folds} fold(s); "
                "use more data or a study with fewer folds"
            )


def _refuse_divided_unit(name: str, units: pd.Series, roles: pd.Series, split: SplitParams) -> None:
    used = roles != "out"
    sides = roles[used].groupby(units[used]).nunique()
    if (sides > 1).any():
        unit = sides.index[sides > 1][0]
        where = sorted(set(roles[used & (units == unit)]))
        raise MammoscanError(
            f"folds: {split.together} {unit} stands in {' and '.join(where)} of {name}, "
            "expected on one side only"
        )


def _require_labels(
    name: str, roles: pd.Series, labels: pd.Series, units: pd.Series, kinds: set[str], split: SplitParams
) -> None:
    for side in ("train", "test"):
        for label in sorted(kinds):
            if not ((roles == side) & (labels == label)).any():
                found = units[(labels == label) & (roles != "out")].nunique()
                raise MammoscanError(
                    f"folds: {name} has no {label!r} in {side}: {split.together}s found 0, needed 1 "
                    f"(of {found} with that label); use more data, another seed or fewer folds"
                )
