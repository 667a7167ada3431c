"""What is left of a claim when its flaws are taken away."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from mammoscan.figures.intervals import draw_chance, draw_interval, find_limits, style_rows, write_interval
from mammoscan.figures.style import BLUE, VERMILION, draw_nothing, new_figure


def draw_ablation(rows: Sequence[Mapping[str, Any]], stamp: str, *, metric: str = "auc") -> Figure:
    """Return the claim's metric as it was made (first row) and with each flaw taken away.

    Args:
        rows: For each variant ``name`` and the metric (``value``, ``low``, ``high``), the published
            procedure first.
        stamp: See ``style.draw_stamp``.
        metric: Which metric of the rows, e.g. ``auc`` or ``accuracy``.
    """
    name = {"auc": "AUC"}.get(metric, metric.replace("_", " ").capitalize())
    title = f"What the flaws carry: {name} as each is taken away"
    measured = [row for row in rows if isinstance(row.get(metric), Mapping)]
    if not measured:
        return draw_nothing(new_figure(1.2, title, stamp), "No variant was measured.")
    figure = new_figure(
        0.95 + 0.58 * len(measured),
        title,
        stamp,
        subtitle="Bars are 95 % intervals. The first row is the procedure as published.",
    )
    axes = figure.add_subplot()
    for place, row in enumerate(measured):
        draw_interval(axes, place, row[metric], VERMILION if place == 0 else BLUE, "s" if place == 0 else "o")
        write_interval(axes, place, row[metric])
    style_rows(
        axes,
        [textwrap.fill(str(row["name"]), 32, break_on_hyphens=False) for row in measured],
        name,
        find_limits([row[metric] for row in measured], include=0.5 if metric == "auc" else None),
    )
    if metric == "auc":
        draw_chance(axes, 0.5, "chance 0.5")
    return figure
