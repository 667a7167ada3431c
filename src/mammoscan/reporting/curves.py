"""ROC curves as points, for a drawing within the page."""

from __future__ import annotations

import pandas as pd

from mammoscan.figures.roc_curves import list_scores
from mammoscan.params import Question

MAX_POINTS = 150


def trace_roc(predictions: pd.DataFrame, question: Question) -> dict[str, list[tuple[float, float]]]:
    """Return the points of each model's ROC curve, false alarms and found, from 0 to 1; none where a label lacks."""
    # Start-up must not wait for scikit-learn.
    from sklearn.metrics import roc_curve

    curves = {}
    for model, truths, probabilities in list_scores(predictions, question):
        if not 0 < truths.sum() < len(truths):
            continue
        false, true, _ = roc_curve(truths, probabilities)
        step = -(-len(false) // MAX_POINTS)
        points = [(float(x), float(y)) for x, y in zip(false, true, strict=True)]
        curves[model] = [*points[:-1:step], points[-1]]
    return curves
