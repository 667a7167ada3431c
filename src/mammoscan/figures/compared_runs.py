"""Several runs on one plot: how well they rank, and how they learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mammoscan.figures.style import (
    MUTED,
    SERIES,
    SMALL_SIZE,
    draw_nothing,
    new_figure,
    style_axes,
)
from mammoscan.number_format import format_measure

_DASHES = ("-", "--", "-.", ":")


def draw_compared_roc(runs: Sequence[Mapping[str, Any]], predictions: pd.DataFrame, stamp: str) -> Figure:
    """Return the ROC curve of each run's network.

    Args:
        runs: ``name``, ``study``, ``positive`` and ``metrics`` of each.
        predictions: Out-of-fold predictions of all runs, with the run's name in ``run``.
        stamp: See ``style.draw_stamp``.
    """
    # Start-up must not wait for scikit-learn.
    from sklearn.metrics import roc_curve

    figure = new_figure(
        5.2, "ROC curves", stamp, subtitle="AUC of each run, with its interval, in the legend.", width=7.5
    )
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=1.2)
    for index, run in enumerate(runs):
        table = predictions[predictions["run"] == run["name"]]
        truth = table["label"] == run["positive"]
        if not 0 < truth.sum() < len(table):
            continue
        false, true, _ = roc_curve(truth, table[f"p_{run['positive']}"])
        area = format_measure(run["metrics"].get("auc", {}))
        axes.plot(false, true, **_dress(index), linewidth=2, label=f"{run['name']}, {run['study']}: {area}")
    axes.set(
        xlabel="False alarms (1 − specificity)",
        ylabel="Found (recall)",
        xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.01),
    )
    _finish(axes)
    return figure


def draw_compared_training(runs: Sequence[Mapping[str, Any]], stamp: str) -> Figure:
    """Return each run's loss over the epochs, the mean of its folds.

    Args:
        runs: ``name``, ``study`` and ``curves`` of each.
        stamp: See ``style.draw_stamp``.
    """
    title = "Training curves"
    drawn = [run for run in runs if any(run["curves"].values())]
    if not drawn:
        return draw_nothing(new_figure(1.2, title, stamp, width=7.5), "No run logged its epochs.")
    figure = new_figure(
        4.4,
        title,
        stamp,
        subtitle="Loss on the validation side (bold) and the training side, mean of the folds.",
        width=7.5,
    )
    axes = figure.add_subplot()
    for index, run in enumerate(runs):
        for key, width in (("val_loss", 2.2), ("loss", 0.9)):
            epochs, values = average_folds(run["curves"][key])
            if len(epochs):
                label = f"{run['name']}, {run['study']}" if key == "val_loss" else None
                axes.plot(epochs, values, **_dress(index), linewidth=width, label=label)
    axes.set(xlabel="Epoch", ylabel="Loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _finish(axes)
    return figure


def average_folds(folds: Mapping[str, Sequence[Sequence[float]]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the epochs, and at each the mean over the folds that were still trained."""
    points: dict[float, list[float]] = {}
    for curve in folds.values():
        for epoch, value in curve:
            points.setdefault(epoch, []).append(value)
    epochs = sorted(points)
    return np.array(epochs), np.array([np.mean(points[epoch]) for epoch in epochs])


def _dress(index: int) -> dict[str, Any]:
    return {"color": SERIES[index % len(SERIES)], "linestyle": _DASHES[index // len(SERIES) % len(_DASHES)]}


def _finish(axes: Axes) -> None:
    style_axes(axes)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=SMALL_SIZE, framealpha=0.92)
