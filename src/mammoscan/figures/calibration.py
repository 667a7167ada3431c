"""Reliability diagrams: does a probability of 0.8 come true four times in five?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mammoscan.figures.style import (
    BLUE,
    MUTED,
    NOTICE,
    SKY,
    SMALL_SIZE,
    draw_nothing,
    new_figure,
    style_axes,
)
from mammoscan.number_format import is_number

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
        return draw_nothing(figure, "No samples to measure it on.")
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


def draw_reliability(bins: Sequence[Mapping[str, Any]], stamp: str, *, positive: str = "positive") -> Figure:
    """Return the reliability diagram with the number of samples in each bin below it.

    Args:
        bins: For each bin ``from``, ``to``, ``samples``, ``predicted`` (mean probability) and ``observed``
            (share that is positive) with its interval's ``low`` and ``high``; empty bins are skipped.
        stamp: See ``style.draw_stamp``.
        positive: The label whose probability it is.
    """
    title = f"Calibration of the probability of {positive}"
    filled = [bin_ for bin_ in bins if bin_["samples"] and is_number(bin_["observed"])]
    figure = new_figure(
        5.0 if filled else 1.2,
        title,
        stamp,
        width=7.0,
        subtitle=f"On the dotted line a stated probability is met in fact. {NOTICE}",
    )
    if not filled:
        return draw_nothing(figure, "No samples to measure it on.")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    upper.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=1.2)
    stated = [bin_["predicted"] for bin_ in filled]
    for bin_ in filled:
        if is_number(bin_.get("low")) and is_number(bin_.get("high")):
            upper.plot(
                [bin_["predicted"]] * 2,
                [bin_["low"], bin_["high"]],
                color=BLUE,
                linewidth=2.2,
                alpha=0.45,
                solid_capstyle="butt",
            )
    upper.plot(
        stated,
        [bin_["observed"] for bin_ in filled],
        color=BLUE,
        linewidth=1.4,
        marker="o",
        markersize=7,
        markeredgecolor="white",
    )
    for bin_ in filled:
        width = bin_["to"] - bin_["from"]
        lower.bar(bin_["from"] + width / 2, bin_["samples"], width=0.92 * width, color=SKY)
        lower.annotate(
            str(bin_["samples"]),
            (bin_["from"] + width / 2, bin_["samples"]),
            xytext=(0, 1),
            textcoords="offset points",
            size=SMALL_SIZE - 1,
            color=MUTED,
            ha="center",
            va="bottom",
        )
    upper.set(ylabel=f"Share that is {positive}", xlim=(-0.01, 1.01), ylim=(-0.02, 1.02))
    lower.set(xlabel=f"Stated probability of {positive}", ylabel="Samples")
    lower.set_ylim(0, 1.35 * max(bin_["samples"] for bin_ in filled))
    lower.yaxis.set_major_locator(MaxNLocator(nbins=2, integer=True))
    style_axes(upper)
    style_axes(lower, grid="y")
    return figure
