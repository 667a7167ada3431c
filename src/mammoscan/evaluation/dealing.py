"""Deal units (patients, regions or images) to parts of given shares, so that the parts are alike."""

from __future__ import annotations

import numpy as np
import pandas as pd

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
