"""Calibration and threshold fitted on out-of-fold predictions, and measured on folds that had no part in the fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mammoscan.evaluation.calibration import measure_calibration
from mammoscan.evaluation.scored import MAIN_MODEL, Scored, read_scored
from mammoscan.evaluation.temperature import apply_temperature, fit_temperature
from mammoscan.evaluation.thresholds import EVEN_ODDS, choose_threshold, measure_operation
from mammoscan.studies import EvaluationParams, Question


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
