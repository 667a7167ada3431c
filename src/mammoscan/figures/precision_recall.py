"""The precision-recall curves of all models."""

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


def draw_precision_recall(
    predictions: pd.DataFrame, question: Question, stamp: str, metrics: Metrics | None = None
) -> Figure:
    """Return the precision-recall curves for the question's positive label, with the share that is positive.

    Args:
        predictions: The predictions table.
        question: Says which label is the positive one.
        stamp: See ``style.draw_stamp``.
        metrics: The measured metrics; where given, the legend shows the intervals from them.
    """
    # Start-up must not wait for scikit-learn.
    from sklearn.metrics import average_precision_score, precision_recall_curve

    figure = new_figure(
        4.6,
        f"Precision and recall: finding {question.positive}",
        stamp,
        subtitle="Average precision in the legend. Chance is the share of positive samples.",
        width=7.0,
    )
    scores = [(m, t, p) for m, t, p in list_scores(predictions, question) if 0 < t.sum() < len(t)]
    if not scores:
        return draw_nothing(figure, "No curve: the measured samples do not hold both answers.")
    axes = figure.add_subplot()
    share = float(scores[0][1].mean())
    axes.axhline(share, color=MUTED, linestyle=":", linewidth=1.2, label=f"Chance: {share:.2f}")
    for model, truths, probabilities in scores:
        precision, recall, _ = precision_recall_curve(truths, probabilities)
        axes.step(
            recall,
            precision,
            where="post",
            color=MODEL_COLOURS.get(model, PURPLE),
            linestyle=MODEL_LINES.get(model, "-"),
            linewidth=2.4 if model == "cnn" else 1.5,
            label=name_curve(
                model, average_precision_score(truths, probabilities), "average_precision", metrics
            ),
            zorder=4 if model == "cnn" else 3,
        )
    axes.set(
        xlabel="Found (recall)",
        ylabel="Right when it says so (precision)",
        xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.03),
    )
    style_axes(axes)
    handles, names = axes.get_legend_handles_labels()
    axes.legend(
        handles[1:] + handles[:1],
        names[1:] + names[:1],
        loc="best",
        fontsize=SMALL_SIZE,
        framealpha=0.92,
    )
    return figure
