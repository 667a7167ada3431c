"""The ROC curves of all models."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from mammoscan.figures.curves import Metrics, list_scores, name_curve
from mammoscan.figures.style import (
    MODEL_COLOURS,
    MODEL_LINES,
    MUTED,
    PURPLE,
    SMALL_SIZE,
    draw_nothing,
    new_figure,
    style_axes,
)
from mammoscan.studies import Question


def draw_roc(
    predictions: pd.DataFrame, question: Question, stamp: str, metrics: Metrics | None = None
) -> Figure:
    """Return the ROC curves for the question's positive label, one a model, with the chance line.

    Args:
        predictions: The predictions table.
        question: Says which label is the positive one.
        stamp: See ``style.draw_stamp``.
        metrics: The measured metrics; where given, the legend shows their AUC with its interval.
    """
    # Start-up must not wait for scikit-learn.
    from sklearn.metrics import auc, roc_curve

    figure = new_figure(
        4.6,
        f"ROC curve: finding {question.positive}",
        stamp,
        subtitle="Area under the curve (AUC) in the legend.",
        width=7.0,
    )
    scores = [(m, t, p) for m, t, p in list_scores(predictions, question) if 0 < t.sum() < len(t)]
    if not scores:
        return draw_nothing(figure, "No curve: the measured samples do not hold both answers.")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=1.2, label="Chance: 0.50")
    for model, truths, probabilities in scores:
        false, true, _ = roc_curve(truths, probabilities)
        axes.plot(
            false,
            true,
            color=MODEL_COLOURS.get(model, PURPLE),
            linestyle=MODEL_LINES.get(model, "-"),
            linewidth=2.4 if model == "cnn" else 1.5,
            label=name_curve(model, auc(false, true), "auc", metrics),
            zorder=4 if model == "cnn" else 3,
        )
    axes.set(
        xlabel="False alarms (1 − specificity)",
        ylabel="Found (recall)",
        xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.01),
    )
    style_axes(axes)
    handles, names = axes.get_legend_handles_labels()
    axes.legend(
        handles[1:] + handles[:1],
        names[1:] + names[:1],
        loc="lower right",
        fontsize=SMALL_SIZE,
        framealpha=0.92,
    )
    return figure
