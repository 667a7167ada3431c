"""The classification report and the confusion matrix of one model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mammoscan.evaluation.predictions import Scored, read_scored
from mammoscan.params import EvaluationParams, Question


def report_classification(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams, model: str | None = None
) -> dict:
    """Report precision, recall, F1 and support of each label, in scikit-learn's shape.

    Args:
        predictions: Pooled out-of-fold predictions.
        question: The labels.
        evaluation: The threshold.
        model: Whose predictions; None means the trained network's.

    Returns:
        ``text`` (str), ``json`` (dict) and ``table`` (DataFrame, first column ``label``).
    """
    from sklearn.metrics import classification_report

    scored = read_scored(predictions, question, model)
    truth, decided = _name_labels(scored, evaluation)
    asked = {"labels": list(question.labels), "zero_division": 0.0}
    text = classification_report(truth, decided, digits=3, **asked)
    report = classification_report(truth, decided, output_dict=True, **asked)
    rows = {
        name: entry if isinstance(entry, dict) else {"f1-score": entry, "support": float(len(truth))}
        for name, entry in report.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index")[["precision", "recall", "f1-score", "support"]]
    table = table.rename_axis("label").reset_index().astype({"support": int})
    return {"text": text, "json": report, "table": table}


def tabulate_confusion(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams, model: str | None = None
) -> dict[str, pd.DataFrame]:
    """Count which label was decided for which.

    Args:
        predictions: Pooled out-of-fold predictions.
        question: The labels.
        evaluation: The threshold.
        model: Whose predictions; None means the trained network's.

    Returns:
        ``counts`` and ``percent`` (of the row): index the true label, columns the decided one. The percents
        of a label without samples are NaN.
    """
    scored = read_scored(predictions, question, model)
    size = len(scored.labels)
    cells = scored.truth * size + scored.decide_labels(evaluation.cut)
    counts = pd.DataFrame(
        np.bincount(cells, minlength=size * size).reshape(size, size),
        index=pd.Index(scored.labels, name="true"),
        columns=pd.Index(scored.labels, name="decided"),
    )
    sums = counts.sum(axis=1)
    return {"counts": counts, "percent": counts.div(sums.where(sums > 0), axis=0) * 100}


def _name_labels(scored: Scored, evaluation: EvaluationParams) -> tuple[np.ndarray, np.ndarray]:
    names = np.asarray(scored.labels, dtype=object)
    return names[scored.truth], names[scored.decide_labels(evaluation.cut)]
