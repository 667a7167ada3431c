"""Calibration and threshold fitted on out-of-fold predictions, and measured on folds that had no part in the fit.

Choosing the threshold by a stated rule, and what the choice costs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mammoscan.evaluation.bootstrap import resample_measures, summarise_draws
from mammoscan.evaluation.calibration import apply_temperature, fit_temperature, measure_calibration
from mammoscan.evaluation.predictions import MAIN_MODEL, Scored, read_scored
from mammoscan.evaluation.weighted_metrics import divide
from mammoscan.params import EvaluationParams, Question, ThresholdParams

EVEN_ODDS = 0.5


def choose_threshold(score: NDArray, positive: NDArray[np.bool_], params: ThresholdParams) -> float:
    """Choose from which score on a sample counts as positive.

    Args:
        score: Probability of the positive label, of samples that the network was not trained on.
        positive: Whether each sample is positive.
        params: The rule.

    Returns:
        A threshold above 0 and below 1, half-way between two scores; even odds where one side is empty. Of equally
        good ones the highest for ``sensitivity``, otherwise the one in the middle.
    """
    if params.rule == "fixed":
        return params.at
    if not positive.any() or positive.all():
        return EVEN_ODDS
    known = np.unique(score)
    candidates = np.concatenate([[0.0], (known[1:] + known[:-1]) / 2, [1.0]])
    found = _count_above(score[positive], candidates) / positive.sum()
    false = _count_above(score[~positive], candidates) / (~positive).sum()
    if params.rule == "sensitivity":
        chosen = candidates[np.flatnonzero(found >= params.at - 1e-12).max()]
    else:
        gain = found - false if params.rule == "youden" else -_price(found, false, params)
        best = np.flatnonzero(gain >= gain.max() - 1e-12)
        chosen = candidates[best[len(best) // 2]]
    return float(np.clip(chosen, 1e-6, 1 - 1e-6))


def measure_operation(
    decided: NDArray[np.bool_],
    positive: NDArray[np.bool_],
    patients: NDArray[np.integer],
    n_patients: int,
    evaluation: EvaluationParams,
) -> dict[str, Any]:
    """Measure what deciding so costs.

    Args:
        decided: Whether each sample was called positive.
        positive: Whether it is.
        patients: Number of each sample's patient, 0 to ``n_patients - 1``.
        n_patients: How many there are.
        evaluation: Prevalence, resamples, level and seed.

    Returns:
        ``sensitivity``, ``specificity``, and for the stated prevalence ``ppv``, ``npv``, ``recalled`` (share called
        positive) and ``recalls_per_found`` (how many are called back for one that is found), each with its interval
        over patients.
    """
    cells = [decided & positive, ~decided & positive, decided & ~positive, ~decided & ~positive]
    sums = np.stack([np.bincount(patients, cell, minlength=n_patients) for cell in cells], axis=1)
    share = evaluation.threshold.prevalence

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        hit, missed, false, right = (weights @ sums).T
        sensitivity, specificity = divide(hit, hit + missed), divide(right, false + right)
        found, alarms = share * sensitivity, (1 - share) * (1 - specificity)
        return {
            "sensitivity": sensitivity,
            "specificity": specificity,
            "ppv": divide(found, found + alarms),
            "npv": divide((1 - share) * specificity, (1 - share) * specificity + share * (1 - sensitivity)),
            "recalled": found + alarms,
            "recalls_per_found": divide(found + alarms, found),
        }

    values, draws = resample_measures(
        measure, n_patients, len(positive), evaluation.resamples, evaluation.seed
    )
    fewest = min(len(np.unique(patients[side])) for side in (positive, ~positive))
    return {name: summarise_draws(values[name], draws[name], evaluation.level, fewest) for name in values} | {
        "counts": dict(
            zip(("hit", "missed", "false_alarm", "right"), map(int, sums.sum(axis=0)), strict=True)
        )
    }


def _count_above(scores: NDArray, candidates: NDArray) -> NDArray:
    return len(scores) - np.searchsorted(np.sort(scores), candidates, side="left")


def _price(found: NDArray, false: NDArray, params: ThresholdParams) -> NDArray:
    return params.at * params.prevalence * (1 - found) + (1 - params.prevalence) * false


def measure_trust(predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams) -> dict:
    """Fit temperature and threshold for the final model, and measure what such a fit is worth.

    What goes with the model is fitted on all out-of-fold predictions. What is stated of it is cross-fitted: each
    fold's samples are judged by the temperature and threshold of the other folds.

    Args:
        predictions: Pooled out-of-fold predictions; only the trained network's are used.
        question: The labels and the positive one.
        evaluation: The rule, the prevalence, resamples, level and seed.

    Returns:
        ``temperature`` and ``fold_temperatures``; ``threshold`` (None with more than two labels) and
        ``fold_thresholds``; ``rule``, ``at``, ``prevalence``; ``calibration`` with ``before`` and ``after`` as
        ``measure_calibration`` gives them; ``operation`` with ``chosen`` and ``even_odds`` as ``measure_operation``
        does (empty with more than two labels).
    """
    rows = predictions[predictions["model"] == MAIN_MODEL]
    scored = read_scored(rows, question, MAIN_MODEL)
    two = len(scored.labels) == 2
    temperature, threshold = _fit(scored, np.ones(len(rows), bool), evaluation)
    calibrated, decided = np.empty_like(scored.probabilities), np.zeros(len(rows), bool)
    fits: dict[str, tuple[float, float]] = {}
    for fold in np.unique(scored.folds):
        inside = scored.folds == fold
        fits[f"fold_{fold}"] = own = _fit(scored, ~inside, evaluation)
        calibrated[inside] = apply_temperature(scored.probabilities[inside], own[0])
        decided[inside] = calibrated[inside][:, scored.positive] >= own[1]
    columns = [f"p_{label}" for label in scored.labels]
    after = rows.assign(**dict(zip(columns, calibrated.T, strict=True)))
    operation = {}
    if two:
        ways = {"chosen": decided, "even_odds": scored.score >= EVEN_ODDS}
        operation = {
            name: measure_operation(way, scored.is_positive, scored.patients, scored.n_patients, evaluation)
            for name, way in ways.items()
        }
    return {
        "temperature": temperature,
        "fold_temperatures": {name: fit[0] for name, fit in fits.items()},
        "threshold": threshold if two else None,
        "fold_thresholds": {name: fit[1] for name, fit in fits.items()} if two else {},
        "rule": evaluation.threshold.rule,
        "at": evaluation.threshold.at,
        "prevalence": evaluation.threshold.prevalence,
        "samples": len(rows),
        "patients": scored.n_patients,
        "calibration": {
            "before": measure_calibration(rows, question, evaluation)[MAIN_MODEL],
            "after": measure_calibration(after, question, evaluation)[MAIN_MODEL],
        },
        "operation": operation,
    }


def _fit(scored: Scored, inside: NDArray[np.bool_], evaluation: EvaluationParams) -> tuple[float, float]:
    """Return temperature and threshold for some of the samples; where there is one fold only, none are left."""
    part = replace(scored, probabilities=scored.probabilities[inside], truth=scored.truth[inside])
    if len(part.truth) == 0:
        return 1.0, evaluation.cut
    temperature = fit_temperature(part.probabilities, part.truth)
    calibrated = apply_temperature(part.probabilities, temperature)[:, scored.positive]
    return temperature, choose_threshold(calibrated, part.is_positive, evaluation.threshold)
