"""Decision curves (Vickers and Elkin, Medical Decision Making 2006): what deciding by a model is worth.

Whoever acts from a probability of t on says that one true positive is worth (1 - t) / t false ones. The net benefit is
the share of true positives less the share of false ones at that price. A model is worth deciding by where it has more
of it than calling every sample positive, and than calling none, which has 0.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mammoscan.evaluation.intervals import MIN_PATIENTS, build_measure, interval_share
from mammoscan.evaluation.predictions import MAIN_MODEL, Scored, list_models, read_scored
from mammoscan.params import EvaluationParams, Question
from mammoscan.records.decision_curve import DecisionCurve, DecisionPoint
from mammoscan.records.measures import Measure

# Beyond the last one a false positive would cost more than four times what a missed positive does.
THRESHOLDS = tuple(percent / 100 for percent in range(1, 81))


def measure_decision_curve(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> DecisionCurve:
    """Measure the net benefit of the network and of the simple models, with intervals over patients.

    The share of positives is taken as it is in these data. Intervals come from those of sensitivity and specificity.

    Args:
        predictions: Pooled out-of-fold predictions; probabilities count as the models state them.
        question: The labels and the positive one.
        evaluation: The level of the intervals.
    """
    scored = read_scored(predictions, question, MAIN_MODEL)
    prevalence = float(scored.is_positive.mean())
    points: tuple[DecisionPoint, ...] = ()
    if len(question.labels) == 2 and 0 < prevalence < 1:
        others = {
            model: read_scored(predictions, question, model)
            for model in list_models(predictions)
            if model not in (MAIN_MODEL, "majority")
        }
        points = tuple(
            _measure_point(scored, others, threshold, evaluation.level) for threshold in THRESHOLDS
        )
    return DecisionCurve(
        positive=question.positive,
        unit=question.unit,
        prevalence=prevalence,
        samples=len(scored.truth),
        patients=scored.n_patients,
        level=evaluation.level,
        points=points,
    )


def _measure_point(
    scored: Scored, others: dict[str, Scored], threshold: float, level: float
) -> DecisionPoint:
    share, odds = float(scored.is_positive.mean()), threshold / (1 - threshold)
    said = scored.score >= threshold
    found, false = (
        interval_share(_count(scored, said & side), _count(scored, side), level)
        for side in (scored.is_positive, ~scored.is_positive)
    )
    call_all = share - (1 - share) * odds
    model = _weigh(found, false, share, (1 - share) * odds)
    return DecisionPoint(
        threshold=threshold,
        model=model,
        call_all=call_all,
        gain=_shift(model, -max(call_all, 0.0)),
        others={
            name: float(np.mean((other.score >= threshold) * np.where(other.is_positive, 1.0, -odds)))
            for name, other in others.items()
        },
    )


def _count(scored: Scored, rows: NDArray[np.bool_]) -> NDArray:
    return np.bincount(scored.patients, rows, minlength=scored.n_patients)


def _weigh(found: Measure, false: Measure, worth: float, price: float) -> Measure:
    """Return what is found less what it costs, with the interval from those of two independent shares."""
    ends = ([measure[key] for key in ("value", "low", "high")] for measure in (found, false))
    (x, x_low, x_high), (y, y_low, y_high) = (np.array(end, dtype=float) for end in ends)
    value = worth * x - price * y
    low = value - np.hypot(worth * (x - x_low), price * (y_high - y))
    high = value + np.hypot(worth * (x_high - x), price * (y - y_low))
    patients = 0 if found["note"] or false["note"] else MIN_PATIENTS
    return build_measure(value, low, high, patients, found["method"])


def _shift(measure: Measure, by: float) -> Measure:
    value, low, high = (
        None if end is None else end + by for end in (measure["value"], measure["low"], measure["high"])
    )
    return Measure(
        value=value,
        low=low,
        high=high,
        undefined=measure["undefined"],
        note=measure["note"],
        method=measure["method"],
    )
