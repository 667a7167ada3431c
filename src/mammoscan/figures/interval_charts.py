"""Charts of values with their intervals: models side by side, flaws taken away, an article's experiments."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mammoscan.figures.style import (
    BLUE,
    INK,
    MODEL_COLOURS,
    MODEL_NAMES,
    MUTED,
    PURPLE,
    SMALL_SIZE,
    TEXT_SIZE,
    VERMILION,
    draw_nothing,
    name_model,
    new_figure,
    style_axes,
)
from mammoscan.number_format import format_measure, is_number


def draw_interval(
    axes: Axes, place: float, measure: Mapping[str, Any], colour: str = BLUE, marker: str = "o"
) -> None:
    """Draw one value as a marker on the bar of its interval; an undefined value draws nothing."""
    if not is_number(measure.get("value")):
        return
    if is_number(measure.get("low")) and is_number(measure.get("high")):
        axes.plot(
            [measure["low"], measure["high"]],
            [place, place],
            color=colour,
            linewidth=2.6,
            alpha=0.55,
            solid_capstyle="butt",
        )
        for end in (measure["low"], measure["high"]):
            axes.plot([end, end], [place - 0.09, place + 0.09], color=colour, linewidth=1.4)
    axes.plot([measure["value"]], [place], marker=marker, color=colour, markersize=8, markeredgecolor="white")


def write_interval(axes: Axes, place: float, measure: Mapping[str, Any], size: float = TEXT_SIZE) -> None:
    """Write a value and its interval at the right of its row, outside of the scale."""
    axes.text(
        1.02,
        place,
        format_measure(measure),
        transform=axes.get_yaxis_transform(),
        size=size,
        color=INK,
        ha="left",
        va="center",
    )


def style_rows(axes: Axes, names: Sequence[str], label: str, limits: tuple[float, float]) -> None:
    """Name the rows from top to bottom and the scale below them."""
    style_axes(axes, grid="x")
    axes.spines["left"].set_visible(False)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0, labelsize=TEXT_SIZE, labelcolor=INK)
    axes.set_ylim(len(names) - 0.45, -0.7)
    axes.set_xlim(*limits)
    axes.set_xlabel(label)


def draw_chance(axes: Axes, value: float, text: str = "chance") -> None:
    """Draw the line that a useless model would reach."""
    axes.axvline(value, color=MUTED, linestyle=":", linewidth=1.4, zorder=1)
    axes.annotate(
        text,
        (value, 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 2),
        textcoords="offset points",
        size=SMALL_SIZE,
        color=MUTED,
        ha="center",
        va="bottom",
    )


def find_limits(measures: Sequence[Mapping[str, Any]], *, include: float | None = 0.5) -> tuple[float, float]:
    """Return a scale within [0, 1] that holds all intervals and ``include``, in steps of 0.1."""
    values = [float(m[key]) for m in measures for key in ("value", "low", "high") if is_number(m.get(key))]
    values += [] if include is None else [include]
    low, high = min(values, default=0.0), max(values, default=1.0)
    bottom = max(0.0, (int(low * 10 - 0.3)) / 10)
    top = min(1.0, (int(high * 10 + 1.3)) / 10)
    return bottom - 0.01, max(top, bottom + 0.2) + 0.01


_TITLES = {"auc": "AUC", "average_precision": "Average precision"}


def draw_metric_intervals(
    metrics: Mapping[str, Mapping[str, Any]], stamp: str, *, metric: str = "auc", chance: float | None = None
) -> Figure:
    """Return a forest plot of one metric: the network and the baselines, with intervals and the chance line.

    Args:
        metrics: For each model the measured metrics, each a mapping of ``value``, ``low`` and ``high``.
        stamp: See ``style.draw_stamp``.
        metric: Which one.
        chance: Where a useless model stands: 0.5 for the AUC; nothing is drawn where it is not known.
    """
    name = _TITLES.get(metric, metric.replace("_", " ").capitalize())
    title = f"{name}: the network beside simple baselines"
    known = list(MODEL_NAMES)
    models = sorted(
        (model for model in metrics if isinstance(metrics[model].get(metric), Mapping)),
        key=lambda model: (known.index(model) if model in known else len(known), model),
    )
    if not models:
        return draw_nothing(new_figure(1.2, title, stamp), f"{name} was not measured.")
    line = 0.5 if chance is None and metric == "auc" else chance
    figure = new_figure(
        0.95 + 0.5 * len(models),
        title,
        stamp,
        subtitle="Bars are 95 % intervals over patients.",
    )
    axes = figure.add_subplot()
    for place, model in enumerate(models):
        measure = metrics[model][metric]
        draw_interval(axes, place, measure, MODEL_COLOURS.get(model, PURPLE), "o" if model == "cnn" else "s")
        write_interval(axes, place, measure)
    style_rows(
        axes,
        [name_model(model) for model in models],
        name,
        find_limits([metrics[model][metric] for model in models], include=line),
    )
    axes.get_yticklabels()[0].set_fontweight("bold" if models[0] == "cnn" else "normal")
    if line is not None:
        draw_chance(axes, line, f"chance {line:.2g}")
    return figure


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
