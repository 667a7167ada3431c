"""Which images of a division's sides are the same, nearly the same or of one patient, and a division without that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mammoscan.errors import MammoscanError
from mammoscan.evaluation import leak_audit, near_copies

OUT = "out"
# The side whose images are looked for on the others comes first.
SIDES = ("test", "validation", "train")
KINDS = ("exact", "turned", "near", "patient")
PAIR_COLUMNS = ("kind", "sample_id", "side", "label", "other", "other_side", "other_label", "score")
# After so many rounds what is still found is left to the audit to say.
MAX_ROUNDS = 4


@dataclass(frozen=True)
class Keys:
    """What makes images the same.

    Attributes:
        exact: Equal for equal images.
        turned: Equal for images that are turned or mirrored copies of each other.
        patient: The patients; each image its own where they are unknown.
        thumbnails: Of all images, to be searched for near copies.
        limit: From which score on two images are taken for near copies.
    """

    exact: np.ndarray
    turned: np.ndarray
    patient: np.ndarray
    thumbnails: np.ndarray
    limit: float


def lay_out_folds(samples: pd.DataFrame, roles: pd.Series) -> pd.DataFrame:
    """Return roles as a table of folds: a single one of sides, or one for each fold that is tested in turn."""
    table = pd.DataFrame({"sample_id": samples["sample_id"], "row": range(len(samples))})
    folds = sorted({role for role in roles if role.startswith("fold_")})
    if not folds:
        return table.assign(fold_0=roles.to_numpy())
    for fold in folds:
        table[fold] = np.where(roles == fold, "test", np.where(roles == OUT, OUT, "train"))
    return table


def find_keys(samples: pd.DataFrame, pixels: np.ndarray, audit: dict, patients_known: bool) -> Keys:
    """Return what makes images the same.

    Args:
        samples: One row per image.
        pixels: uint8 ``[N, H, W, C]``.
        audit: The leak audit of the division. An image is taken for a near copy beyond the limit beyond which not one
            is expected by chance; where more lie below it than chance gives, from the audit's own limit on.
        patients_known: Whether ``patient_id`` says whom an image is of.
    """
    # Start-up must not wait for SciPy's statistics.
    from scipy.stats import binom

    limits, near = audit["near_limits"], audit["near"]
    by_chance = binom.ppf(1 - leak_audit.CHANCE_LEVEL, near["tested"], near_copies.FALSE_ALARMS)
    many = near["count"] - near["certain"] > by_chance
    patients = samples["patient_id"].astype(str).to_numpy(dtype=object)
    return Keys(
        leak_audit.hash_images(pixels),
        leak_audit.hash_views(pixels),
        patients if patients_known else samples["sample_id"].astype(str).to_numpy(dtype=object),
        near_copies.make_thumbnails(pixels),
        limits["near" if many else "certain"],
    )


def find_pairs(samples: pd.DataFrame, roles: pd.Series, keys: Keys) -> pd.DataFrame:
    """Return the images that have a copy, a near copy or their patient on another side, each with one of those.

    Returns:
        One row per image and kind, the strongest kinds first: ``PAIR_COLUMNS``, and ``row`` and ``other_row``. An image
        whose copy was found is not searched for near copies.
    """
    sides = roles.to_numpy(dtype=object)
    found: list[tuple[str, int, int, float]] = []
    copied = np.zeros(len(sides), bool)
    for kind, values in (("exact", keys.exact), ("turned", keys.turned), ("patient", keys.patient)):
        partners = _find_partners(values, sides)
        if kind == "turned":
            partners = {row: other for row, other in partners.items() if not copied[row]}
        if kind != "patient":
            copied[list(partners)] = True
        found += [(kind, row, other, 1.0) for row, other in partners.items()]
    for mine, others in _list_searches(sides):
        queries = mine[~copied[mine]]
        scores, where = near_copies.find_near_copies(keys.thumbnails, queries, others)
        near = np.flatnonzero((scores > keys.limit) & (where >= 0))
        found += [("near", int(queries[at]), int(where[at]), float(scores[at])) for at in near]
    table = pd.DataFrame(found, columns=["kind", "row", "other_row", "score"])
    table = table.sort_values("kind", key=lambda kind: kind.map(KINDS.index), kind="stable")
    for name, column in (("", "row"), ("other_", "other_row")):
        rows = samples.iloc[table[column].astype(int)]
        table[f"{name}side"] = sides[table[column].astype(int)]
        table[f"{name}label"] = rows["label"].to_numpy()
        table["other" if name else "sample_id"] = rows["sample_id"].to_numpy()
    return table[[*PAIR_COLUMNS, "row", "other_row"]].reset_index(drop=True)


def repair_division(
    samples: pd.DataFrame, roles: pd.Series, keys: Keys, repair: str
) -> tuple[pd.Series, pd.Series]:
    """Return a division without what was found: the new roles, and for each image that changed its side, why.

    Args:
        samples: One row per image.
        roles: Their present roles.
        keys: What makes images the same.
        repair: ``move`` puts a whole group on the side that has most of it; ``drop`` takes out of training, and out of
            validation, what a side before it shares.
    """
    if repair == "drop" and any(role.startswith("fold_") for role in roles):
        raise MammoscanError(
            "audit.repair is drop, but the sides are folds that are tested in turn; expected move"
        )
    now = roles.copy()
    why = pd.Series("", index=roles.index, dtype=object)
    links: list[tuple[int, int]] = []
    for _ in range(MAX_ROUNDS):
        pairs = find_pairs(samples, now, keys)
        if pairs.empty:
            break
        links += list(zip(pairs["row"].astype(int), pairs["other_row"].astype(int), strict=True))
        groups = _group_rows(links, [keys.turned, keys.exact, keys.patient], now)
        kinds = _name_kinds(pairs, groups)
        before = now.copy()
        for group in np.unique(groups[pairs["row"].astype(int)]):
            sides = before[groups == group]
            used = sides[sides != OUT]
            if len(set(used)) < 2:
                continue
            if repair == "move":
                counts = used.value_counts()
                most = counts[counts == counts.max()].index
                # Of equal ones training, so that the test side stays clean.
                chosen = "train" if "train" in most else sorted(most)[0]
                changed = used.index[used != chosen]
                now[changed] = chosen
            else:
                first = next(side for side in SIDES if side in set(used))
                changed = used.index[used != first]
                now[changed] = OUT
            why[changed] = kinds[int(group)]
    return now, why


def _find_partners(values: np.ndarray, sides: np.ndarray) -> dict[int, int]:
    """Return for each image that is looked for one with the same key on a side where that is a leak."""
    partners: dict[int, int] = {}
    table = pd.DataFrame({"key": values, "side": sides, "row": range(len(values))})
    table = table[table["side"] != OUT]
    several = table.groupby("key")["side"].transform("nunique") > 1
    for _, group in table[several].groupby("key", sort=False):
        first = group.drop_duplicates("side").set_index("side")["row"].to_dict()
        for row, side in zip(group["row"], group["side"], strict=True):
            others = [name for name in first if name != side]
            if side in SIDES:
                others = [name for name in SIDES[SIDES.index(side) + 1 :][::-1] if name in first]
            if others:
                partners[int(row)] = int(first[others[0]])
    return partners


def _list_searches(sides: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return which rows are searched for among which."""
    folds = sorted({side for side in sides if side.startswith("fold_")})
    if folds:
        used = sides != OUT
        return [(np.flatnonzero(sides == fold), np.flatnonzero(used & (sides != fold))) for fold in folds]
    test, validation, train = (np.flatnonzero(sides == side) for side in SIDES)
    return [(test, np.concatenate([train, validation])), (validation, train)]


def _group_rows(links: list[tuple[int, int]], keys: list[np.ndarray], roles: pd.Series) -> np.ndarray:
    """Return the group of each image: all that links and equal keys connect."""
    used = np.flatnonzero((roles != OUT).to_numpy())
    first, second = [np.array([a for a, _ in links], int)], [np.array([b for _, b in links], int)]
    for values in keys:
        codes = pd.factorize(values[used])[0]
        order = np.argsort(codes, kind="stable")
        same = codes[order][1:] == codes[order][:-1]
        first.append(used[order[1:][same]])
        second.append(used[order[:-1][same]])
    rows, columns = np.concatenate(first), np.concatenate(second)
    count = len(roles)
    graph = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def _name_kinds(pairs: pd.DataFrame, groups: np.ndarray) -> dict[int, str]:
    """Return why each group belongs together."""
    words = {
        "exact": "an exact copy",
        "turned": "a turned or mirrored copy",
        "near": "a near copy",
        "patient": "the same patient",
    }
    named: dict[int, set[str]] = {}
    for row, kind in zip(pairs["row"].astype(int), pairs["kind"], strict=True):
        named.setdefault(int(groups[row]), set()).add(kind)
    return {
        group: ", ".join(words[kind] for kind in KINDS if kind in kinds) for group, kinds in named.items()
    }
