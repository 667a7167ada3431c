"""A contact sheet of scans with their regions marked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from mammoscan.figures.style import ORANGE, SKY, SMALL_SIZE, draw_nothing, is_number, new_figure
from mammoscan.figures.tiles import fit_caption, new_tiles, show_image

# Colour and dash both tell the severity, so that neither is needed alone.
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
    figure, (grid,) = new_tiles(
        [("", len(chosen))],
        columns,
        title,
        stamp,
        caption_lines=3,
        footer=0.35,
        subtitle=f"{len(chosen)} of {len(sources)} scans, {how}.",
    )
    scale = scans.shape[1] / scan_size
    for axes, position in zip(grid, chosen, strict=True):
        source = sources[position]
        found = regions[regions["source"] == source]
        show_image(axes, np.asarray(scans[position]), _caption_scan(source, found, columns))
        for region in found.to_dict("records"):
            colour, dash = _RINGS.get(region["severity"], _RINGS["normal"])
            if not (is_number(region["row"]) and is_number(region["column"])):
                continue
            x, y = float(region["column"]) * scale, float(region["row"]) * scale
            if is_number(region.get("radius")):
                radius = max(2.5, float(region["radius"]) * scale)
                axes.add_patch(
                    Circle((x, y), radius, fill=False, color=colour, linestyle=dash, linewidth=1.6)
                )
            else:
                axes.plot([x], [y], marker="x", color=colour, markersize=7, markeredgewidth=1.6)
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
    return "\n".join(fit_caption(line, columns) for line in (name, *lines))
