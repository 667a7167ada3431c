"""A whole scan with what a network says about every place of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mammoscan.figures.style import INK, NOTICE, ORANGE, PAPER, SMALL_SIZE, new_figure

_SIDE = 512


def draw_scan_map(
    scan: np.ndarray,
    probabilities: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    regions: pd.DataFrame,
    stamp: str,
    *,
    positive: str,
    name: str = "",
    note: str = "",
) -> Figure:
    """Return the scan with its top regions marked, beside it the map laid over the scan.

    Args:
        scan: uint8 ``[H, W]``.
        probabilities: ``[rows, columns]`` of the positive label; NaN where the network was not asked.
        rows: Where the map's rows lie, in pixels of the scan from the top.
        columns: Where its columns lie, from the left.
        regions: The places that stand out, the highest first: ``rank``, ``probability``, ``row``, ``column`` (of the
            centre), ``side`` (of the window), ``x`` and ``y`` (origin bottom-left).
        stamp: See ``style.draw_stamp``.
        positive: The label whose probability is shown.
        name: The scan's.
        note: A sentence that must be read with the map.
    """
    asked = int(np.isfinite(probabilities).sum())
    title = f"Where {positive} is seen" + (f": {name}" if name else "")
    subtitle = (
        f"The network was asked about the windows around {asked:,} places in the breast. {note} {NOTICE}"
    )
    figure = new_figure(5.6, title, stamp, subtitle=" ".join(subtitle.split()))
    left, right = figure.subplots(1, 2)
    # A picture of a picture needs no more pixels than are shown.
    thin = max(1, max(scan.shape) // _SIDE)
    extent = (0, scan.shape[1], scan.shape[0], 0)
    for axes in (left, right):
        axes.imshow(scan[::thin, ::thin], cmap="gray", vmin=0, vmax=255, extent=extent)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlim(0, scan.shape[1])
        axes.set_ylim(scan.shape[0], 0)
        for spine in axes.spines.values():
            spine.set_visible(False)
    for region in regions.to_dict("records"):
        _mark(left, region)
    left.set_xlabel(_list_regions(regions), size=SMALL_SIZE, color=INK, loc="left", linespacing=1.5)
    if asked:
        half_row, half_column = (float(np.diff(places[:2])[0]) / 2 for places in (rows, columns))
        shown = right.imshow(
            np.ma.masked_invalid(probabilities),
            cmap="plasma",
            vmin=0,
            vmax=1,
            alpha=0.55,
            extent=(
                columns[0] - half_column,
                columns[-1] + half_column,
                rows[-1] + half_row,
                rows[0] - half_row,
            ),
            interpolation="nearest",
        )
        bar = figure.colorbar(shown, ax=right, orientation="horizontal", fraction=0.05, pad=0.03)
        bar.set_label(f"probability of {positive}", size=SMALL_SIZE, color=INK)
        bar.ax.tick_params(labelsize=SMALL_SIZE)
        bar.outline.set_visible(False)
        right.set_xlim(0, scan.shape[1])
        right.set_ylim(scan.shape[0], 0)
    return figure


def _mark(axes: Axes, region: dict) -> None:
    side = float(region["side"])
    corner = (float(region["column"]) - side / 2, float(region["row"]) - side / 2)
    axes.add_patch(Rectangle(corner, side, side, fill=False, color=ORANGE, linewidth=1.6, clip_on=True))
    axes.text(
        max(corner[0], 0),
        max(corner[1], 0),
        f" {region['rank']} ",
        size=SMALL_SIZE,
        color=INK,
        va="top",
        ha="left",
        bbox={"boxstyle": "square,pad=0.15", "facecolor": ORANGE, "edgecolor": PAPER, "linewidth": 0.5},
    )


def _list_regions(regions: pd.DataFrame) -> str:
    if regions.empty:
        return "no place to look at"
    lines = [
        f"{row['rank']}.  {row['probability']:.2f}  at x {row['x']:.0f}, y {row['y']:.0f}"
        for row in regions.to_dict("records")
    ]
    return "\n".join(lines)
