"""The marked regions of mini-MIAS: selection, places in the scan, and cropping."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mammoscan.data.mias_notes import ABNORMALITIES, MALFORMED_TYPES, NO_PLACE, SIDE
from mammoscan.errors import MammoscanError
from mammoscan.imaging.breast_coordinates import draw_matched_places, locate_in_breast
from mammoscan.imaging.breast_mask import find_side
from mammoscan.imaging.crops import crop_radius, cut_scales
from mammoscan.imaging.scan_grid import prepare_scales
from mammoscan.imaging.views import AUTHOR_VIEWS, N_VIEWS, make_view
from mammoscan.params import CropParams, Question, ViewParams

LABELS = {
    "severity": {"benign": "benign", "malignant": "malignant"},
    "abnormality": {"normal": "normal", "benign": "abnormal", "malignant": "abnormal"},
    "severity_or_normal": {"normal": "normal", "benign": "benign", "malignant": "malignant"},
}
# What the article's code takes where Info.txt gives no place.
AUTHOR_CENTRE = SIDE // 2
AUTHOR_RADIUS = 48
AUTHOR_LOWEST = 500

REGION_TYPES = {
    "region_id": "str",
    "scan": "str",
    "source": "str",
    "patient_id": "str",
    "label": "str",
    "target": "int64",
    "group": "str",
    "severity": "str",
    "tissue": "str",
    "x": "float64",
    "y": "float64",
    "radius": "float64",
    "line": "int64",
}


def choose_regions(
    notes: pd.DataFrame,
    malformed: pd.DataFrame,
    question: Question,
    protocol: Literal["patient", "author"],
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose the regions of a question, with a reason for each row that is left out.

    ``patient`` takes every row with a usable place; normal scans get theirs later. ``author`` follows the article's
    code: the first row of each scan without NOTE 3, a missing place is the scan's centre, and a normal scan is cut at a
    random point near it.

    Args:
        notes: The parsed rows.
        malformed: The other rows.
        question: Column, labels and classes.
        protocol: ``patient`` or ``author``.
        seed: Seed of the points at which ``author`` cuts normal scans.

    Returns:
        ``regions`` and ``rejected`` (``line``, ``text``, ``reason``): together they hold every row once.
    """
    labels = _match_labels(question)
    ranks = notes.groupby("scan").cumcount() + 1
    regions: list[dict[str, Any]] = []
    rejected = _list_rows(malformed[list(MALFORMED_TYPES)])
    for row, rank in zip(_list_rows(notes), ranks, strict=True):
        # An empty text read back from a CSV file is no text at all.
        place = row["place"] if isinstance(row["place"], str) else ""
        reason = _find_reason(row, place, labels, question, protocol)
        if reason:
            rejected.append({"line": row["line"], "text": row["text"], "reason": reason})
            continue
        label = labels[row["severity"]]
        region = {**row, "label": label, "target": question.labels.index(label)}
        if protocol == "author":
            region |= {"region_id": row["scan"], **_place_as_author(row, place, seed)}
        else:
            # A normal scan's regions are numbered where their places are drawn.
            region["region_id"] = row["scan"] if row["group"] == "NORM" else f"{row['scan']}-{rank}"
        regions.append(region)
    return (
        pd.DataFrame(regions, columns=list(REGION_TYPES)).astype(REGION_TYPES),
        pd.DataFrame(rejected, columns=list(MALFORMED_TYPES))
        .astype(MALFORMED_TYPES)
        .sort_values("line", kind="stable", ignore_index=True),
    )


def choose_all_as_author(notes: pd.DataFrame, malformed: pd.DataFrame) -> pd.DataFrame:
    """Choose the regions of all classes as the article did, the normal ones too."""
    everything = Question(
        text="all classes",
        about="severity_or_normal",
        labels=("normal", "benign", "malignant"),
        positive="malignant",
    )
    return choose_regions(notes, malformed, everything, "author")[0]


def _list_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _match_labels(question: Question) -> dict[str, str]:
    if question.about not in LABELS:
        raise MammoscanError(f"question.about is {question.about!r}, expected one of: {', '.join(LABELS)}")
    labels = LABELS[question.about]
    expected = sorted(set(labels.values()))
    if sorted(question.labels) != expected:
        raise MammoscanError(
            f"question.labels is {list(question.labels)}, expected {expected} in any order for a question "
            f"about {question.about}"
        )
    known = ABNORMALITIES if question.about == "severity" else (*ABNORMALITIES, "NORM")
    unknown = sorted(set(question.groups) - set(known))
    if unknown:
        raise MammoscanError(f"question.groups holds {unknown}, expected only classes out of {list(known)}")
    return labels


def _find_reason(
    row: dict[str, Any], place: str, labels: dict[str, str], question: Question, protocol: str
) -> str:
    """Return why a row is left out, or an empty text."""
    if row["severity"] not in labels:
        return "a normal scan: the question is about abnormalities only"
    # Normal scans stay: `groups` restricts which abnormalities are asked about.
    if question.groups and row["group"] not in (*question.groups, "NORM"):
        return f"class {row['group']}: the question is about {' '.join(question.groups)} only"
    if protocol == "author":
        if not row["first_of_scan"]:
            return "not the first row of its scan: the article keeps the first only"
        return "" if place == NO_PLACE else place
    return place


def _place_as_author(row: dict[str, Any], place: str, seed: int) -> dict[str, float]:
    if row["group"] == "NORM":
        # One generator per scan, so that other rows never move this scan's point.
        rng = np.random.default_rng([seed, int(row["scan"][3:])])
        x, y = rng.integers(AUTHOR_LOWEST, AUTHOR_CENTRE, size=2, endpoint=True)
        return {"x": float(x), "y": float(y), "radius": AUTHOR_RADIUS}
    if place == NO_PLACE:
        return {"x": AUTHOR_CENTRE, "y": AUTHOR_CENTRE, "radius": AUTHOR_RADIUS}
    return {}


SCAN_SIDE = 1024

# Names in `samples.view`, and the index among the eight views.
STORED_VIEWS: dict[str, tuple[tuple[str, int], ...]] = {
    "one": (("", 0),),
    "eight": tuple((f"view_{k}", k) for k in range(N_VIEWS)),
    "twelve": AUTHOR_VIEWS,
}


def place_regions(
    regions: pd.DataFrame, scans: list[str], grids: NDArray[np.uint8], crop: CropParams
) -> pd.DataFrame:
    """Give every region a place in its scan; a normal scan gets ``crop.normals_per_scan`` places.

    Places in normal scans are drawn inside the breast with the positions and sizes of the abnormal regions of other
    breasts, so that neither reveals the label.

    Args:
        regions: What ``choose_regions`` chose.
        scans: File names, in the order of ``grids``.
        grids: ``[N, h, w, 2]``: standardised scans and breast masks.
        crop: How regions are cut.

    Returns:
        The regions, one row per place, with ``row`` and ``column`` (origin top-left), ``side``, ``place_u``,
        ``place_v`` and ``grid`` (position of the scan in ``grids``).
    """
    scale = grids.shape[1] / SCAN_SIDE
    position = {name: index for index, name in enumerate(scans)}
    placed = regions.assign(
        grid=regions["source"].map(position),
        row=SCAN_SIDE - regions["y"],
        column=regions["x"],
    )
    known = placed[placed["row"].notna()]
    rng = np.random.default_rng([crop.seed, len(regions)])
    masks: dict[int, NDArray[np.bool_]] = {}

    def read_mask(grid: int) -> NDArray[np.bool_]:
        if grid not in masks:
            masks[grid] = np.asarray(grids[grid, :, :, 1], dtype=bool)
        return masks[grid]

    def locate(row: pd.Series) -> tuple[float, float]:
        return locate_in_breast(read_mask(row["grid"]), row["row"], row["column"], scale)

    references = np.array([locate(row) for _, row in known.iterrows()]).reshape(-1, 2)
    rows = []
    for _, region in placed.iterrows():
        if pd.notna(region["row"]):
            rows.append(region)
            continue
        drawn = draw_matched_places(
            read_mask(region["grid"]), references, crop.normals_per_scan, rng, crop.size / scale / 2, scale
        )
        for number, (row, column) in enumerate(drawn, 1):
            radius = known["radius"].iloc[rng.integers(len(known))]
            one = region.copy()
            one[["region_id", "row", "column", "radius"]] = [
                f"{region['region_id']}-{number}",
                row,
                column,
                radius,
            ]
            rows.append(one)
    table = pd.DataFrame(rows).reset_index(drop=True)
    places = np.array([locate(row) for _, row in table.iterrows()]).reshape(-1, 2)
    table["place_u"], table["place_v"] = places[:, 0], places[:, 1]
    table["side"] = [find_side(read_mask(grid)) for grid in table["grid"]]
    return table.astype({"row": float, "column": float, "radius": float, "grid": int})


def list_samples(placed: pd.DataFrame, views: ViewParams, crop: CropParams) -> pd.DataFrame:
    """Return the ``samples`` table: one row per stored view of each placed region, in the order of the pixels.

    Where the pixels' channels are windows of several scales, ``scales`` names these in each row.
    """
    stored = STORED_VIEWS[views.stored]
    table = placed.loc[placed.index.repeat(len(stored))].reset_index(drop=True)
    names = [name for name, _ in stored] * len(placed)
    table.insert(
        0, "sample_id", [f"{r}_{n}" if n else r for r, n in zip(table["region_id"], names, strict=True)]
    )
    table["view"] = names
    if len(crop.scales) > 1:
        table["scales"] = " ".join(f"{scale:g}" for scale in crop.scales)
    return table.drop(columns=["grid"])


def cut_blocks(
    placed: pd.DataFrame,
    grids: NDArray[np.uint8],
    crop: CropParams,
    views: ViewParams,
    read_scan: Callable[[str], NDArray[np.uint8]],
) -> Iterator[NDArray[np.uint8]]:
    """Yield, for each placed region, its stored views ``[views, size, size, scales]``.

    Args:
        placed: What ``place_regions`` returned.
        grids: ``[N, h, w, 2]``, standardised scans; the ``window`` crop is cut from them.
        crop: How regions are cut.
        views: Which views are stored.
        read_scan: Gives a raw scan by its file name; the ``radius`` crop is cut from it, and so are other scales.
    """

    @lru_cache(maxsize=1)
    def prepare(source: str, grid: int) -> list[NDArray[np.uint8]]:
        own, mask = grids[grid, :, :, 0], grids[grid, :, :, 1].astype(bool)
        others = [scale for scale in crop.scales if scale != 1]
        return [own, *(prepare_scales(read_scan(source), mask, others) if others else [])]

    for _, region in placed.iterrows():
        if crop.kind == "window":
            levels = prepare(region["source"], region["grid"])
            [image] = cut_scales(levels, region["row"], region["column"], crop.size, SCAN_SIDE)
        else:
            scan = read_scan(region["source"])
            image = crop_radius(scan, region["row"], region["column"], region["radius"], crop.size)[..., None]
        yield np.stack([make_view(image, k) for _, k in STORED_VIEWS[views.stored]])
