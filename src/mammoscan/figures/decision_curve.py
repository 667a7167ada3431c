"""Decision curves: net benefit by threshold probability."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from mammoscan.figures.style import (
    BLUE,
    INK,
    MODEL_COLOURS,
    MODEL_LINES,
    MUTED,
    NOTICE,
    PURPLE,
    SMALL_SIZE,
    draw_nothing,
    name_model,
    new_figure,
    style_axes,
)
from mammoscan.records.decision_curve import DecisionCurve


def draw_decision_curve(curve: DecisionCurve, stamp: str) -> Figure:
    """Return the net benefit of the network with its band, of the simple models, and of calling all or none positive.

    Args:
        curve: What was measured.
        stamp: See ``style.draw_stamp``.
    """
    title = f"What deciding by the probability of {curve.positive} is worth"
    if not curve.points:
        return draw_nothing(
            new_figure(1.2, title, stamp), "Net benefit is measured where there are two labels."
        )
    figure = new_figure(
        4.4,
        title,
        stamp,
        subtitle=f"The band is the {100 * curve.level:.0f} % interval at each threshold, over patients. {NOTICE}",
    )
    axes = figure.add_subplot()
    places = [point.threshold for point in curve.points]
    bounded = [point for point in curve.points if point.model["low"] is not None]
    axes.fill_between(
        [point.threshold for point in bounded],
        [point.model["low"] or 0.0 for point in bounded],
        [point.model["high"] or 0.0 for point in bounded],
        color=BLUE,
        alpha=0.16,
        linewidth=0,
    )
    axes.plot(places, [point.call_all for point in curve.points], color=INK, linewidth=1.2, label="Call all")
    axes.plot([0, places[-1]], [0, 0], color=MUTED, linewidth=1.2, linestyle=":", label="Call none")
    for model in curve.points[0].others:
        axes.plot(
            places,
            [point.others[model] for point in curve.points],
            color=MODEL_COLOURS.get(model, PURPLE),
            linestyle=MODEL_LINES.get(model, "--"),
            linewidth=1.4,
            label=name_model(model),
        )
    values = [point.model["value"] or 0.0 for point in curve.points]
    axes.plot(places, values, color=BLUE, linewidth=2.2, label=name_model("cnn"))
    top = max(curve.prevalence, *values)
    axes.set(
        xlim=(0, places[-1]),
        ylim=(-0.35 * top, 1.12 * top),
        xlabel=f"Threshold probability of {curve.positive}",
        ylabel="Net benefit",
    )
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    style_axes(axes)
    figure.legend(loc="outside lower center", ncols=5, fontsize=SMALL_SIZE, frameon=False)
    return figure
