"""One metric of all models with intervals: is the network better than what is simple?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from mammoscan.figures.intervals import draw_chance, draw_interval, find_limits, style_rows, write_interval
from mammoscan.figures.style import (
    MODEL_COLOURS,
    MODEL_NAMES,
    PURPLE,
    draw_nothing,
    name_model,
    new_figure,
)

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
        subtitle="Bars are 95 % intervals; patients were resampled whole.",
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
