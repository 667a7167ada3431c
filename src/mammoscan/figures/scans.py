"""Scans: a contact sheet with their regions, and one scan with its probability map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Rectangle

from mammoscan.figures.image_grids import new_tiles, show_image, wrap_caption
from mammoscan.figures.style import (
    INK,
    NOTICE,
    ORANGE,
    PAPER,
    SKY,
    SMALL_SIZE,
    draw_nothing,
    new_figure,
)
from mammoscan.number_format import is_number

# Colour and dash both give the severity: either is enough.
_RINGS = {"malignant": (ORANGE, "-"), "benign": (SKY, "--"), "normal": ("#c9ced4", ":")}


def draw_scan_sheet(
    scans: np.ndarray,
    sources: Sequence[str],
    regions: pd.DataFrame,
    stamp: str,
    *,
    limit: int = 24,
    scan_size: int = 1024,
    columns: int = 6,
) -> Figure:
    """Return scans in rows, their regions as rings, captions of scan, class and severity.

    Args:
        scans: Scans ``uint8 [N, h, w]``, shrunk to any one size.
        sources: The scan file of each, as in ``regions["source"]``.
        regions: Columns ``source``, ``row``, ``column``, ``radius`` (pixels of the published scan), ``group``
            and ``severity``; a region without a radius is a cross.
        stamp: See ``style.draw_stamp``.
        limit: At most so many scans, taken from all classes in turn.
        scan_size: Height of the published scan in pixels.
        columns: Scans in a row.
    """
    title = "Scans with their regions"
    chosen = _choose_scans(sources, regions, limit)
    if not chosen:
        return draw_nothing(new_figure(1.2, title, stamp), "No scans.")
    how = "all of them" if len(chosen) == len(sources) else "taken from all classes in turn"
    captions = [
        _caption_scan(sources[position], regions[regions["source"] == sources[position]], columns)
        for position in chosen
    ]
    figure, (grid,) = new_tiles(
        [("", len(chosen))],
        columns,
        title,
        stamp,
        caption_lines=max(caption.count("\n") + 1 for caption in captions),
        footer=0.35,
        subtitle=f"{len(chosen)} of {len(sources)} scans, {how}.",
    )
    scale = scans.shape[1] / scan_size
    for axes, position, caption in zip(grid, chosen, captions, strict=True):
        source = sources[position]
        found = regions[regions["source"] == source]
        show_image(axes, np.asarray(scans[position]), caption)
        _mark_regions(axes, found, scale)
    legend = figure.legend(
        handles=[
            Line2D([], [], color=colour, linestyle=dash, linewidth=1.8, label=name)
            for name, (colour, dash) in _RINGS.items()
            if name in set(regions["severity"])
        ],
        loc="lower left",
        ncols=3,
        fontsize=SMALL_SIZE,
        facecolor="#2b3036",
        labelcolor="white",
        framealpha=1,
    )
    legend.set_in_layout(False)
    return figure


def draw_scan(scan: np.ndarray, regions: pd.DataFrame, stamp: str, *, name: str) -> Figure:
    """Return one scan with a ring around each of its regions.

    Args:
        scan: uint8 ``[H, W]``, as published.
        regions: As in ``draw_scan_sheet``, of this scan alone.
        stamp: See ``style.draw_stamp``.
        name: The scan's.
    """
    found = [
        " ".join(part for part in (str(region["group"]), str(region["severity"])) if part)
        for region in regions.to_dict("records")
    ]
    side = 5.2
    figure = new_figure(side, f"Scan {name}", stamp, subtitle=", ".join(found) + ".", width=side + 0.4)
    axes = figure.add_subplot()
    show_image(axes, np.asarray(scan))
    _mark_regions(axes, regions, 1.0)
    return figure


def _mark_regions(axes: Axes, regions: pd.DataFrame, scale: float) -> None:
    for region in regions.to_dict("records"):
        colour, dash = _RINGS.get(region["severity"], _RINGS["normal"])
        if not (is_number(region["row"]) and is_number(region["column"])):
            continue
        x, y = float(region["column"]) * scale, float(region["row"]) * scale
        if is_number(region.get("radius")):
            radius = max(2.5, float(region["radius"]) * scale)
            axes.add_patch(Circle((x, y), radius, fill=False, color=colour, linestyle=dash, linewidth=1.6))
        else:
            axes.plot([x], [y], marker="x", color=colour, markersize=7, markeredgewidth=1.6)


def _choose_scans(sources: Sequence[str], regions: pd.DataFrame, limit: int) -> list[int]:
    groups: dict[str, list[int]] = {}
    first = regions.drop_duplicates("source").set_index("source")["group"].to_dict()
    for position, source in enumerate(sources):
        groups.setdefault(str(first.get(source, "none")), []).append(position)
    queues = [groups[name] for name in sorted(groups)]
    chosen: list[int] = []
    for turn in range(max((len(queue) for queue in queues), default=0)):
        chosen += [queue[turn] for queue in queues if turn < len(queue)]
    return sorted(chosen[:limit])


def _caption_scan(source: str, found: pd.DataFrame, columns: int) -> str:
    """Return the scan's name and its regions' classes, in three lines at most."""
    kinds = list(dict.fromkeys(zip(found["group"], found["severity"], strict=True)))
    lines = ["NORM" if group == "NORM" else f"{group} {severity}" for group, severity in kinds] or [
        "no region"
    ]
    if len(lines) > 2:
        lines = [lines[0], f"and {len(lines) - 1} other kinds"]
    name = source.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return wrap_caption("\n".join((name, *lines)), columns)


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
        probabilities: ``[rows, columns]`` of the positive label; NaN where nothing was predicted.
        rows: Where the map's rows lie, in pixels of the scan from the top.
        columns: Where its columns lie, from the left.
        regions: The places that stand out, the highest first: ``rank``, ``probability``, ``row``, ``column`` (of the
            centre), ``side`` (of the window), ``x`` and ``y`` (origin bottom-left).
        stamp: See ``style.draw_stamp``.
        positive: The label whose probability is shown.
        name: The scan's.
        note: A sentence that must be read with the map.
    """
    places = int(np.isfinite(probabilities).sum())
    title = f"Where {positive} is seen" + (f": {name}" if name else "")
    subtitle = f"Predicted for the windows around {places:,} places in the breast. {note} {NOTICE}"
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
    if places:
        half_row, half_column = (float(np.diff(grid[:2])[0]) / 2 for grid in (rows, columns))
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
