"""The value of each trial of a search, and the best so far."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mammoscan.figures.style import SERIES, draw_nothing, new_figure, style_axes

_TITLES = {"auc": "AUC", "loss": "Loss", "accuracy": "Accuracy"}


def draw_trials(trials: pd.DataFrame, stamp: str, *, measure: str) -> Figure:
    """Return the trials of all folds: points for their values, lines for the best so far.

    Args:
        trials: ``fold``, ``trial``, ``value`` (missing where a training diverged) and ``chosen``.
        stamp: See ``style.draw_stamp``.
        measure: ``auc``, ``loss`` or ``accuracy``, among a fold's training patients.
    """
    name = _TITLES[measure]
    title = f"{name} of each trial, among the training patients of its fold"
    if trials["value"].notna().sum() == 0:
        return draw_nothing(new_figure(1.2, title, stamp), "No trial has a value.")
    figure = new_figure(
        3.6,
        title,
        stamp,
        subtitle="Lines: the best so far. Rings: the recipe that was taken. The first trial is the study's own recipe. "
        "The best of many is partly luck: no point here is a score.",
    )
    axes = figure.add_subplot()
    for fold, part in trials.groupby("fold"):
        colour = SERIES[int(str(fold)) % len(SERIES)]
        best = part["value"].cummin() if measure == "loss" else part["value"].cummax()
        number = part["trial"] + 1
        axes.plot(number, best.ffill(), color=colour, drawstyle="steps-post", linewidth=1.2, alpha=0.8)
        axes.scatter(number, part["value"], color=colour, s=22, label=f"fold {int(str(fold)) + 1}")
        chosen = part[part["chosen"]]
        axes.scatter(
            chosen["trial"] + 1, chosen["value"], s=110, facecolors="none", edgecolors=colour, linewidths=1.6
        )
    axes.set(xlabel="trial", ylabel=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=9, ncols=5, loc="lower left", bbox_to_anchor=(0, 1))
    style_axes(axes)
    return figure
