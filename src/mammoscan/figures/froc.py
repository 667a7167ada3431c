"""The FROC curve, and scans with what was found on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from mammoscan.figures.image_grids import new_tiles, show_image
from mammoscan.figures.style import (
    BLUE,
    INK,
    ORANGE,
    SKY,
    SMALL_SIZE,
    TEXT_SIZE,
    VERMILION,
    draw_nothing,
    new_figure,
    style_axes,
)
from mammoscan.records.froc import Froc

_COLUMNS = 4
# What a gallery shows of each kind, the highest scores first.
_SHOWN = 8


def draw_froc(froc: Froc, stamp: str) -> Figure:
    """Return sensitivity against false findings per scan, with intervals at fixed rates.

    Args:
        froc: What was measured.
        stamp: See ``style.draw_stamp``.
    """
    title = "FROC: regions found against false findings per scan"
    subtitle = (
        f"{froc.regions} regions on {froc.scans - froc.normal_scans} scans, and {froc.normal_scans} normal scans; "
        "a region is found where a finding's centre lies within its marked radius."
    )
    figure = new_figure(4.4, title, stamp, subtitle=subtitle, width=7.0)
    if not froc.curve:
        return draw_nothing(figure, "No findings.")
    axes = figure.add_subplot()
    axes.step(
        [point.false_findings for point in froc.curve],
        [point.sensitivity for point in froc.curve],
        where="post",
        color=BLUE,
        linewidth=2.2,
    )
    for point in froc.at:
        value, low, high = (point.measure[key] for key in ("value", "low", "high"))
        if value is None or low is None or high is None:
            continue
        axes.errorbar(
            [point.false_findings],
            [value],
            yerr=[[max(0, value - low)], [max(0, high - value)]],
            color=VERMILION,
            marker="o",
            markersize=5,
            capsize=3,
            linewidth=1.4,
        )
        # Upright, and where there is more room: rates lie close to each other, and intervals may reach to the top.
        above = 1 - high >= low
        axes.annotate(
            f"{value:.2f} [{low:.2f}, {high:.2f}]",
            (point.false_findings, high if above else low),
            xytext=(0, 5 if above else -5),
            textcoords="offset points",
            ha="center",
            va="bottom" if above else "top",
            size=SMALL_SIZE - 1,
            color=INK,
            rotation=90,
        )
    axes.set_xlim(0, max(5.0, 1.1 * max(point.false_findings for point in froc.at)))
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("False findings per scan", size=TEXT_SIZE, color=INK)
    axes.set_ylabel("Sensitivity (regions found)", size=TEXT_SIZE, color=INK)
    style_axes(axes)
    return figure


def draw_findings(
    scans: np.ndarray,
    sources: Sequence[str],
    findings: pd.DataFrame,
    regions: pd.DataFrame,
    threshold: float,
    stamp: str,
    *,
    scan_size: int = 1024,
) -> Figure:
    """Return scans with hits, missed regions and false findings marked.

    Args:
        scans: uint8 ``[N, h, w]``.
        sources: The scan file of each.
        findings: Matched findings: ``source``, ``row``, ``column``, ``score``, ``region_id``.
        regions: Matched regions: ``source``, ``region_id``, ``row``, ``column``, ``radius``, ``score``.
        threshold: Findings with a higher score are shown.
        stamp: See ``style.draw_stamp``.
        scan_size: Side of the published scan in pixels.
    """
    # A table that was on disk has nothing where a finding hits no region.
    findings = findings.assign(region_id=findings["region_id"].fillna("").astype(str))
    kept = findings[findings["score"] > threshold]
    false = kept[kept["region_id"] == ""].sort_values("score", ascending=False)
    found = regions["score"].fillna(-np.inf) > threshold
    hits = regions[found].sort_values("score", ascending=False)
    normal = false[~false["source"].isin(regions["source"])]
    kinds = {
        "Regions found": hits["source"],
        "Regions missed": regions[~found]["source"],
        "False findings on normal scans": normal["source"],
    }
    shown = {name: list(dict.fromkeys(values))[:_SHOWN] for name, values in kinds.items()}
    shown = {name: values for name, values in shown.items() if values}
    title = "Hits, misses and false findings"
    if not shown:
        return draw_nothing(new_figure(1.2, title, stamp), "No findings and no regions.")
    figure, grids = new_tiles(
        [(name, len(values)) for name, values in shown.items()],
        _COLUMNS,
        title,
        stamp,
        caption_lines=1,
        subtitle="Rings: marked regions. Filled squares: findings that hit one. Open squares: false findings.",
    )
    scale = scans.shape[1] / scan_size
    places = {name: index for index, name in enumerate(sources)}
    for values, grid in zip(shown.values(), grids, strict=True):
        for axes, source in zip(grid, values, strict=False):
            show_image(axes, np.asarray(scans[places[source]]), source)
            for region in regions[regions["source"] == source].to_dict("records"):
                place = (region["column"] * scale, region["row"] * scale)
                axes.add_patch(
                    Circle(place, max(2.5, region["radius"] * scale), fill=False, color=SKY, linewidth=1.6)
                )
            for finding in kept[kept["source"] == source].to_dict("records"):
                corner = (finding["column"] * scale - 4, finding["row"] * scale - 4)
                hit = bool(finding["region_id"])
                colour = ORANGE if hit else VERMILION
                axes.add_patch(Rectangle(corner, 8, 8, fill=hit, color=colour, linewidth=1.4))
    return figure
