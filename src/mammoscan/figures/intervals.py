"""Rows of values with their intervals, which several figures are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from mammoscan.figures.style import (
    BLUE,
    INK,
    MUTED,
    SMALL_SIZE,
    TEXT_SIZE,
    format_measure,
    is_number,
    style_axes,
)


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
