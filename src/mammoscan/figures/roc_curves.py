"""ROC and precision-recall curves of all models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mammoscan.figures.style import (
    MODEL_COLOURS,
    MODEL_LINES,
    MODEL_NAMES,
    MUTED,
    PURPLE,
    SMALL_SIZE,
    draw_nothing,
    name_model,
    new_figure,
    style_axes,
)
from mammoscan.number_format import format_measure
from mammoscan.params import Question

Metrics = Mapping[str, Mapping[str, Any]]


def list_scores(
    predictions: pd.DataFrame, question: Question
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield each model with its truths (1 where the label is the positive one) and its probabilities of it.

    The majority baseline ranks nothing, so it has no curve: the chance line is its curve.
    """
    known = list(MODEL_NAMES)
    models = sorted(
        predictions["model"].unique(),
        key=lambda name: (known.index(name) if name in known else len(known), name),
    )
    for model in models:
        if model == "majority":
            continue
        chosen = predictions[predictions["model"] == model]
        truths = (chosen["label"] == question.positive).to_numpy(dtype=int)
        yield model, truths, chosen[f"p_{question.positive}"].to_numpy(dtype=float)


def name_curve(model: str, area: float, name: str, metrics: Metrics | None) -> str:
    """Return a curve's legend text: the measured interval where there is one, else the area of the curve."""
    measure = (metrics or {}).get(model, {}).get(name)
    text = format_measure(measure) if isinstance(measure, Mapping) else f"{area:.2f}"
    return f"{name_model(model)}: {text}"


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
        subtitle="The curves pool all folds; the legend gives the mean AUC of the folds.",
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
            **_style_curve(model),
            label=name_curve(model, auc(false, true), "auc", metrics),
        )
    axes.set(
        xlabel="False alarms (1 − specificity)",
        ylabel="Found (recall)",
        xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.01),
    )
    _finish(axes, "lower right")
    return figure


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
            **_style_curve(model),
            label=name_curve(
                model, average_precision_score(truths, probabilities), "average_precision", metrics
            ),
        )
    axes.set(
        xlabel="Found (recall)",
        ylabel="Right when it says so (precision)",
        xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.03),
    )
    _finish(axes, "best")
    return figure


def _style_curve(model: str) -> dict[str, Any]:
    main = model == "cnn"
    return {
        "color": MODEL_COLOURS.get(model, PURPLE),
        "linestyle": MODEL_LINES.get(model, "-"),
        "linewidth": 2.4 if main else 1.5,
        "zorder": 4 if main else 3,
    }


def _finish(axes: Axes, place: str) -> None:
    """Style the axes, and put chance, which was drawn first, last in the legend."""
    style_axes(axes)
    handles, names = axes.get_legend_handles_labels()
    axes.legend(
        handles[1:] + handles[:1], names[1:] + names[:1], loc=place, fontsize=SMALL_SIZE, framealpha=0.92
    )
