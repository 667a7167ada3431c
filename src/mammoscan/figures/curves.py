"""What the ROC and the precision-recall curve share: who is drawn, and how it is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mammoscan.figures.style import MODEL_NAMES, format_measure, name_model
from mammoscan.studies import Question

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
