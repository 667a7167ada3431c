"""Predicted against true numbers, and Bland and Altman's figure of their differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mammoscan.figures.style import (
    BLUE,
    INK,
    MUTED,
    SMALL_SIZE,
    VERMILION,
    draw_nothing,
    new_figure,
    style_axes,
)
from mammoscan.number_format import format_fixed, is_number


def draw_agreement(
    predictions: pd.DataFrame, measures: Mapping[str, Any], stamp: str, *, quantity: str, unit: str = ""
) -> Figure:
    """Return two panels: prediction against truth, and their difference against their mean.

    Args:
        predictions: The network's: ``target`` and ``prediction``.
        measures: Its ``bias``, ``limit_low`` and ``limit_high``; their intervals are drawn as bands.
        stamp: See ``style.draw_stamp``.
        quantity: What is predicted.
        unit: Its unit, which may be empty.
    """
    title = "Agreement of prediction and truth"
    truth, found = (predictions[name].to_numpy(dtype=float) for name in ("target", "prediction"))
    if len(truth) == 0:
        return draw_nothing(new_figure(1.2, title, stamp), "Nothing was predicted.")
    figure = new_figure(
        3.9,
        title,
        stamp,
        subtitle="Each dot is one image, predicted by a network that had not seen its patient.",
    )
    left, right = figure.subplots(1, 2)
    named = f"{quantity} ({unit})" if unit else quantity
    # Levels lie on each other: dots that let others through show how many there are.
    dots: dict[str, Any] = {"s": 14, "color": BLUE, "alpha": 0.35, "linewidths": 0}
    left.scatter(truth, found, **dots)
    ends = [min(truth.min(), found.min()), max(truth.max(), found.max())]
    left.plot(ends, ends, color=MUTED, linestyle=":", linewidth=1.4)
    left.set_xlabel(f"True {named}")
    left.set_ylabel(f"Predicted {named}")
    style_axes(left)
    right.scatter((truth + found) / 2, found - truth, **dots)
    for name, colour, style in (
        ("bias", INK, "-"),
        ("limit_low", VERMILION, "--"),
        ("limit_high", VERMILION, "--"),
    ):
        _draw_level(right, measures.get(name) or {}, colour, style)
    right.set_xlabel(f"Mean of both {named}")
    right.set_ylabel("Predicted less true")
    # Room for the lines' names.
    low, high = right.get_xlim()
    right.set_xlim(low, high + 0.2 * (high - low))
    style_axes(right)
    return figure


def _draw_level(axes: Axes, measure: Mapping[str, Any], colour: str, style: str) -> None:
    if not is_number(measure.get("value")):
        return
    value = float(measure["value"])
    axes.axhline(value, color=colour, linestyle=style, linewidth=1.4)
    if is_number(measure.get("low")) and is_number(measure.get("high")):
        axes.axhspan(measure["low"], measure["high"], color=colour, alpha=0.1, linewidth=0)
    axes.annotate(
        format_fixed(value, int(measure.get("digits", 2))),
        (1, value),
        xycoords=axes.get_yaxis_transform(),
        xytext=(-3, 3),
        textcoords="offset points",
        ha="right",
        size=SMALL_SIZE,
        color=colour,
    )
