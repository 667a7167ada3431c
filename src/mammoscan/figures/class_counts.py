"""How many samples of each class there are, before and after balancing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mammoscan.figures.style import (
    BLUE,
    GREEN,
    INK,
    SKY,
    SMALL_SIZE,
    VERMILION,
    draw_nothing,
    new_figure,
    style_axes,
)

SEVERITIES = {"benign": BLUE, "malignant": VERMILION, "normal": GREEN}


def draw_class_counts(
    counts: pd.DataFrame, stamp: str, *, title: str = "Samples of each class", weighted: bool = False
) -> Figure:
    """Return bars of the counts before and after balancing; one bar for each class where nothing changed.

    Args:
        counts: The table of ``count_classes``: columns ``before`` and ``after``; the others, or the index,
            name the class.
        stamp: See ``style.draw_stamp``.
        title: The figure's title.
        weighted: Whether the loss weighs the classes, which balances them too.
    """
    if counts.empty:
        return draw_nothing(new_figure(1.2, title, stamp), "No samples.")
    names = [column for column in counts.columns if column not in ("before", "after")]
    labels = (
        # A group that is called like its label is said once.
        [" · ".join(dict.fromkeys(map(str, row))).replace("_", " ") for row in counts[names].to_numpy()]
        if names
        else [str(name) for name in counts.index]
    )
    before, after = counts["before"].to_numpy(dtype=float), counts["after"].to_numpy(dtype=float)
    changed = bool((before != after).any())
    averaged = any(value % 1 for value in (*before, *after))
    totals = before.sum(), after.sum()
    before, after = before.round(), after.round()
    what = "samples in a training side, rounded means of the folds" if averaged else "samples"
    subtitle = (
        f"{totals[0]:,.0f} {what}, before balancing, {totals[1]:,.0f} after."
        if changed
        else f"{totals[0]:,.0f} {what}; all of them are used, and the loss weighs rare classes more."
        if weighted
        else f"{totals[0]:,.0f} {what}; no balancing, so all of them are used."
    )
    pitch = 0.5 if changed else 0.34
    figure = new_figure(0.7 + pitch * len(labels), title, stamp, subtitle=subtitle)
    axes = figure.add_subplot()
    places = np.arange(len(labels))
    series = (
        [(before, SKY, "before", -0.2), (after, BLUE, "after", 0.2)] if changed else [(after, BLUE, "", 0.0)]
    )
    for values, colour, name, offset in series:
        axes.barh(places + offset, values, height=0.38 if changed else 0.62, color=colour, label=name)
        for place, value in zip(places, values, strict=True):
            axes.annotate(
                f"{value:,.0f}",
                (value, place + offset),
                xytext=(4, 0),
                textcoords="offset points",
                size=SMALL_SIZE,
                color=INK,
                va="center",
            )
    style_axes(axes, grid="x")
    axes.set_yticks(places, labels)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlim(0, 1.1 * max(1, before.max(), after.max()))
    axes.set_xlabel("Samples")
    if changed:
        axes.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=SMALL_SIZE, frameon=False
        )
    return figure


def draw_severity_counts(by_class: pd.DataFrame, fully: pd.DataFrame, stamp: str) -> Figure:
    """Return bars of each class and severity: before balancing, class-balanced, and fully balanced.

    Args:
        by_class: The table of ``count_classes`` for the class balance: ``group``, ``severity``, ``before``, ``after``.
        fully: The same for the full balance.
        stamp: See ``style.draw_stamp``.
    """
    title = "Severity of each class, before and after balancing"
    if by_class.empty or fully.empty:
        return draw_nothing(new_figure(1.2, title, stamp), "No samples.")
    stages = (
        ("before", by_class.set_index(["group", "severity"])["before"]),
        ("class-balanced", by_class.set_index(["group", "severity"])["after"]),
        ("fully balanced", fully.set_index(["group", "severity"])["after"]),
    )
    groups = list(dict.fromkeys(by_class["group"]))
    shown = [name for name in SEVERITIES if name in set(by_class["severity"])]
    figure = new_figure(0.9 + 0.62 * len(groups), title, stamp, subtitle="Images of each class.")
    panels = figure.subplots(1, len(stages), sharey=True, sharex=True)
    most = max(float(counts.max()) for _, counts in stages)
    for axes, (stage, counts) in zip(panels, stages, strict=True):
        for row, group in enumerate(groups):
            found = [name for name in shown if (group, name) in counts.index]
            for place, name in enumerate(found):
                height = row + 0.36 * (place - (len(found) - 1) / 2)
                value = float(counts[group, name])
                axes.barh(height, value, height=0.32, color=SEVERITIES[name])
                axes.annotate(
                    f"{value:,.0f}",
                    (value, height),
                    xytext=(3, 0),
                    textcoords="offset points",
                    size=SMALL_SIZE - 1,
                    color=INK,
                    va="center",
                )
        style_axes(axes, grid="x")
        axes.set_title(f"{stage}: {counts.sum():,.0f}", size=SMALL_SIZE + 1, color=INK)
        axes.set_yticks(range(len(groups)), groups)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.set_ylim(len(groups) - 0.4, -0.6)
        axes.set_xlim(0, 1.22 * max(1.0, most))
        axes.set_xlabel("Images")
    handles = [Patch(color=SEVERITIES[name], label=name) for name in shown]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(shown), fontsize=SMALL_SIZE, frameon=False
    )
    return figure
