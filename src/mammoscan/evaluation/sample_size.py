"""How wide the intervals of a study are to be expected, by the same methods as its report computes them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mammoscan.evaluation.intervals import AUC_METHOD, interval_auc, limit_share
from mammoscan.evaluation.predictions import MAIN_MODEL, read_scored
from mammoscan.params import EvaluationParams, Question
from mammoscan.records.sample_size import ExpectedWidth, SampleSize

AUCS = (0.7, 0.8, 0.9)
SHARES = (0.7, 0.8, 0.9)
WANTED = 0.1
MAX_NEEDED = 1_000_000


def plan_sample_size(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> SampleSize:
    """Return the widths to be expected of as many patients as these predictions are of."""
    scored = read_scored(predictions, question, MAIN_MODEL)
    positive, negative = (
        len(np.unique(scored.patients[side])) for side in (scored.is_positive, ~scored.is_positive)
    )
    return plan_widths(positive, negative, evaluation.level, scored.count_folds())


def plan_widths(positive: int, negative: int, level: float, folds: int) -> SampleSize:
    """Return the widths to be expected, each patient counting once.

    Args:
        positive: Patients with the positive label.
        negative: Patients with another one.
        level: Of the intervals.
        folds: How many networks are cross-validated.
    """
    return SampleSize(
        positive=positive,
        negative=negative,
        level=level,
        folds=folds,
        auc=tuple(
            ExpectedWidth(value=auc, width=expect_auc_width(auc, positive, negative, level, folds))
            for auc in AUCS
        ),
        sensitivity=tuple(_expect_share(share, positive, level) for share in SHARES),
        specificity=tuple(_expect_share(share, negative, level) for share in SHARES),
        wanted=WANTED,
        needed=find_needed(positive, negative, level, folds),
    )


def expect_auc_width(auc: float, positive: int, negative: int, level: float, folds: int) -> float | None:
    """Return the width of an AUC's interval to be expected (variance of Hanley and McNeil, Radiology 1982)."""
    if min(positive, negative) < 2:
        return None
    first, second = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (auc * (1 - auc) + (positive - 1) * (first - auc**2) + (negative - 1) * (second - auc**2)) / (
        positive * negative
    )
    measure = interval_auc(auc, variance, min(positive, negative), level, AUC_METHOD, folds)
    return None if measure["low"] is None or measure["high"] is None else measure["high"] - measure["low"]


def find_needed(positive: int, negative: int, level: float, folds: int, auc: float = 0.8) -> int | None:
    """Return how many patients it takes, at these shares of the labels, for an interval of ``WANTED``."""
    if min(positive, negative) < 1:
        return None
    total = positive + negative

    def is_enough(patients: int) -> bool:
        width = expect_auc_width(
            auc, round(patients * positive / total), round(patients * negative / total), level, folds
        )
        return width is not None and width <= WANTED

    low, high = 2, MAX_NEEDED
    if not is_enough(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _expect_share(share: float, patients: int, level: float) -> ExpectedWidth:
    if patients < 2:
        return ExpectedWidth(value=share, width=None)
    low, high = limit_share(share, patients, patients, level)
    return ExpectedWidth(value=share, width=high - low)
