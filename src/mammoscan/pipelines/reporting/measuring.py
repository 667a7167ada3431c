"""Nodes that measure; everything they return is plain tables and numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mammoscan.evaluation import audit, calibration, metrics, reports
from mammoscan.studies import EvaluationParams, Question, SplitParams


def measure_predictions(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> dict[str, Any]:
    """Measure the network and the baselines, each figure with its interval over patients."""
    return metrics.measure_predictions(predictions, question, evaluation)


def measure_calibration(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> dict[str, Any]:
    """Measure whether the probabilities mean what they say."""
    return calibration.measure_calibration(predictions, question, evaluation)


def measure_subgroups(
    predictions: pd.DataFrame, samples: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> pd.DataFrame:
    """Measure within each abnormality class and each tissue density."""
    return metrics.measure_subgroups(predictions, samples, question, evaluation)


def audit_leaks(
    samples: pd.DataFrame, pixels: np.ndarray, folds: pd.DataFrame, split: SplitParams
) -> dict[str, Any]:
    """Count how much of the test sides the training sides have already seen."""
    return audit.audit_leaks(samples, pixels, folds, split.choose_epoch_on)


def report_classification(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> tuple[str, dict[str, Any], pd.DataFrame]:
    """Report precision, recall, F1 and support of each label as text, as JSON and as a table."""
    report = reports.report_classification(predictions, question, evaluation)
    return report["text"], report["json"], report["table"]


def tabulate_confusion(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> pd.DataFrame:
    """Count which label was decided for which: a row a true label, a column a decided one."""
    return reports.tabulate_confusion(predictions, question, evaluation)["counts"].reset_index()
