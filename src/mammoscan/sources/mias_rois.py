"""From regions of mini-MIAS to one table and one array."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mammoscan.imaging.crops import crop_radius, cut_window
from mammoscan.imaging.masks import find_side
from mammoscan.imaging.places import draw_matched_places, locate_in_breast
from mammoscan.imaging.views import AUTHOR_VIEWS, N_VIEWS, make_view
from mammoscan.studies import CropParams, ViewParams

SCAN_SIDE = 1024

# What a view is called in `samples.view`, and its index among the eight.
STORED_VIEWS: dict[str, tuple[tuple[str, int], ...]] = {
    "one": (("", 0),),
    "eight": tuple((f"view_{k}", k) for k in range(N_VIEWS)),
    "twelve": AUTHOR_VIEWS,
}


def place_regions(
    regions: pd.DataFrame, scans: list[str], grids: NDArray[np.uint8], crop: CropParams
) -> pd.DataFrame:
    """Give every region a place in its scan; a normal scan gets as many as ``crop.normals_per_scan``.

    A region without coordinates is a normal scan: its places are drawn inside the breast, where abnormal ones
    lie in other breasts and of their sizes, so that neither place nor size tells the label.

    Args:
        regions: What ``choose_regions`` chose.
        scans: File names, in the order of ``grids``.
        grids: ``[N, h, w, 2]``: standardised scan and breast mask.
        crop: How regions are cut.

    Returns:
        The regions, one row a place, with ``row`` and ``column`` (origin top-left), ``side``, ``place_u``,
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


def list_samples(placed: pd.DataFrame, views: ViewParams) -> pd.DataFrame:
    """Return the ``samples`` table: a row for each stored view of each placed region, in the order of pixels."""
    stored = STORED_VIEWS[views.stored]
    table = placed.loc[placed.index.repeat(len(stored))].reset_index(drop=True)
    names = [name for name, _ in stored] * len(placed)
    table.insert(
        0, "sample_id", [f"{r}_{n}" if n else r for r, n in zip(table["region_id"], names, strict=True)]
    )
    table["view"] = names
    return table.drop(columns=["grid"])


def cut_blocks(
    placed: pd.DataFrame,
    grids: NDArray[np.uint8],
    crop: CropParams,
    views: ViewParams,
    read_scan: Callable[[str], NDArray[np.uint8]],
) -> Iterator[NDArray[np.uint8]]:
    """Yield, for each placed region, its stored views ``[views, size, size, 1]``.

    Args:
        placed: What ``place_regions`` returned.
        grids: ``[N, h, w, 2]``, standardised scans; the ``window`` crop is cut from them.
        crop: How regions are cut.
        views: Which views are stored.
        read_scan: Gives a raw scan by its file name; the ``radius`` crop is cut from it.
    """
    for _, region in placed.iterrows():
        if crop.kind == "window":
            image = cut_window(
                grids[region["grid"], :, :, 0],
                region["row"],
                region["column"],
                crop.size,
                grids.shape[1] / SCAN_SIDE,
            )
        else:
            scan = read_scan(region["source"])
            image = crop_radius(scan, region["row"], region["column"], region["radius"], crop.size)
        yield np.stack([make_view(image, k) for _, k in STORED_VIEWS[views.stored]])[..., None]
