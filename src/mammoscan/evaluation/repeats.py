"""How much a result depends on the patients, the split and the seed: the spread of repeated cross-validations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mammoscan.evaluation.intervals import cluster_variance, measure_auc, rank_within_folds
from mammoscan.evaluation.predictions import MAIN_MODEL, read_scored
from mammoscan.params import EvaluationParams, Question

VARIED = ("split", "seed")


def measure_repeats(
    predictions: pd.DataFrame, repeated: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> dict[str, Any]:
    """Measure the AUC's spread over patients, splits and seeds, each with the other two kept.

    Args:
        predictions: Out-of-fold predictions of the study itself; only the trained network's are used.
        repeated: The same of further cross-validations, with ``varied`` (``split`` or ``seed``) and their number
            ``repeat``.
        question: The labels and the positive one.
        evaluation: The interval's level.

    Returns:
        ``auc`` of the study itself (a measure), ``patients`` (the standard deviation that other patients would give,
        these networks kept), and for ``split`` and ``seed`` the AUCs of the repeats, ``values``, and their standard
        deviation ``spread`` with the study's own among them.
    """
    scored = read_scored(predictions, question, MAIN_MODEL)
    own = measure_auc(scored, evaluation.level)
    _, *contributions = rank_within_folds(scored, scored.positive)
    deviation = float(np.sqrt(cluster_variance(*contributions)))
    result: dict[str, Any] = {"auc": own, "patients": deviation if np.isfinite(deviation) else None}
    for varied in VARIED:
        rows = repeated[repeated["varied"] == varied]
        values = [
            measure_auc(read_scored(part, question, MAIN_MODEL), evaluation.level)["value"]
            for _, part in rows.groupby("repeat")
        ]
        known = [value for value in (own["value"], *values) if value is not None]
        result[varied] = {
            "values": values,
            "spread": float(np.std(known, ddof=1)) if len(known) > 1 else None,
        }
    return result
