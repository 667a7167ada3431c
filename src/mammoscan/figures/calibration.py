"""Calibration before and after: what one temperature does to the stated probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mammoscan.figures.style import (
    BLUE,
    MUTED,
    NOTICE,
    SMALL_SIZE,
    draw_nothing,
    is_number,
    new_figure,
    style_axes,
)

Bins = Sequence[Mapping[str, Any]]


def draw_calibration(before: Bins, after: Bins, stamp: str, *, positive: str = "positive") -> Figure:
    """Return two reliability diagrams side by side.

    Args:
        before: Bins of the network's own probabilities, as ``measure_calibration`` gives them.
        after: The same with the temperature that the other folds gave.
        stamp: See ``style.draw_stamp``.
        positive: The label whose probability it is.
    """
    sides = {"as the network states them": _keep_filled(before), "calibrated": _keep_filled(after)}
    filled = all(sides.values())
    figure = new_figure(
        3.6 if filled else 1.2,
        f"Probability of {positive}, before and after calibration",
        stamp,
        subtitle=f"On the dotted line a stated probability is met in fact. {NOTICE}",
    )
    if not filled:
        return draw_nothing(figure, "No samples to judge it by.")
    for axes, (name, bins) in zip(figure.subplots(1, 2, sharey=True), sides.items(), strict=True):
        _draw_side(axes, bins)
        axes.set_title(name, size=SMALL_SIZE + 1, loc="left")
        axes.set(xlabel=f"Stated probability of {positive}", xlim=(-0.01, 1.01), ylim=(-0.02, 1.02))
    figure.axes[0].set_ylabel(f"Share that is {positive}")
    return figure


def _keep_filled(bins: Bins) -> list[Mapping[str, Any]]:
    return [each for each in bins if each["samples"] and is_number(each["observed"])]


def _draw_side(axes: Axes, bins: Bins) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=1.2)
    for each in bins:
        if is_number(each.get("low")) and is_number(each.get("high")):
            axes.plot(
                [each["predicted"]] * 2, [each["low"], each["high"]], color=BLUE, linewidth=2.2, alpha=0.45
            )
    axes.plot(
        [each["predicted"] for each in bins],
        [each["observed"] for each in bins],
        color=BLUE,
        linewidth=1.4,
        marker="o",
        markersize=7,
        markeredgecolor="white",
    )
    style_axes(axes)
