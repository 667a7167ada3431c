"""The article's closing chart: recall and precision of its experiments."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mammoscan.figures.intervals import draw_interval, style_rows
from mammoscan.figures.style import (
    BLUE,
    INK,
    MUTED,
    SMALL_SIZE,
    VERMILION,
    draw_nothing,
    format_measure,
    is_number,
    new_figure,
)

_SERIES = (("recall", BLUE, "o", -0.17), ("precision", VERMILION, "s", 0.17))


def draw_experiment_chart(
    rows: Sequence[Mapping[str, Any]], stamp: str, *, positive: str = "malignant"
) -> Figure:
    """Return recall and precision of each experiment with intervals, and the article's claims.

    Args:
        rows: For each experiment ``experiment`` (its name), ``recall`` and ``precision`` (each ``value``,
            ``low``, ``high``), and where the article states them the numbers ``claimed_recall`` and
            ``claimed_precision``.
        stamp: See ``style.draw_stamp``.
        positive: The label whose cases are meant.
    """
    title = f"Recall and precision on {positive} cases"
    if not rows:
        return draw_nothing(new_figure(1.2, title, stamp), "No experiment was run.")
    figure = new_figure(
        1.2 + 0.72 * len(rows),
        title,
        stamp,
        subtitle="Bars are 95 % intervals, under the article's own division of the images.",
    )
    axes = figure.add_subplot()
    claimed = False
    for place, row in enumerate(rows):
        for name, colour, marker, offset in _SERIES:
            measure = row.get(name) or {}
            draw_interval(axes, place + offset, measure, colour, marker)
            axes.text(
                1.02,
                place + offset,
                f"{name} {format_measure(measure)}",
                transform=axes.get_yaxis_transform(),
                size=SMALL_SIZE,
                color=INK,
                ha="left",
                va="center",
            )
            claim = row.get(f"claimed_{name}")
            if is_number(claim):
                claimed = True
                axes.plot(
                    [float(str(claim))],
                    [place + offset],
                    marker="D",
                    markersize=9,
                    markerfacecolor="none",
                    markeredgecolor=INK,
                    markeredgewidth=1.4,
                    linestyle="none",
                    zorder=6,
                )
        if place:
            axes.axhline(place - 0.5, color="#e3e6ea", linewidth=0.8)
    style_rows(
        axes,
        [textwrap.fill(str(row["experiment"]), 26, break_on_hyphens=False) for row in rows],
        "Share",
        (-0.02, 1.03),
    )
    handles = [
        Line2D([], [], color=colour, marker=marker, linewidth=2.4, label=name)
        for name, colour, marker, _ in _SERIES
    ]
    if claimed:
        handles.append(
            Line2D(
                [],
                [],
                color=MUTED,
                marker="D",
                markerfacecolor="none",
                markeredgecolor=INK,
                linestyle="none",
                label="claimed by the article",
            )
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=SMALL_SIZE, frameon=False)
    return figure
