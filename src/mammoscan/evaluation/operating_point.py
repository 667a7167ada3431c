"""Temperature and threshold fitted on out-of-fold predictions, and measured on folds that had no part in the fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mammoscan.evaluation.bootstrap import WeightedMeasures, resample_measures
from mammoscan.evaluation.calibration import (
    apply_temperature,
    fit_temperature,
    measure_calibration,
    measure_loss_change,
    measure_temperature,
)
from mammoscan.evaluation.intervals import (
    MIN_PATIENTS,
    build_measure,
    interval_share,
    limit_ratio,
)
from mammoscan.evaluation.predictions import MAIN_MODEL, Scored, read_scored
from mammoscan.evaluation.weighted_metrics import divide
from mammoscan.params import EvaluationParams, Question, ThresholdParams
from mammoscan.records.measures import Measure

EVEN_ODDS = 0.5
# Candidates among which the threshold is chosen in each resample; more would hardly move it.
MAX_CANDIDATES = 500
CHOSEN_AGAIN = "the threshold chosen again in each resample"


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
    scored: Scored, decided: NDArray[np.bool_], evaluation: EvaluationParams, rechoose: bool = False
) -> dict[str, Any]:
    """Measure what deciding so costs.

    Args:
        scored: The predictions.
        decided: Whether each sample was called positive.
        evaluation: The rule, the prevalence, resamples, level and seed.
        rechoose: Whether the threshold came from the other folds by the rule: then the intervals hold that other
            patients would have given another threshold.

    Returns:
        ``sensitivity``, ``specificity``, and for the stated prevalence ``ppv``, ``npv``, ``recalled`` (share called
        positive) and ``recalls_per_found`` (how many are recalled for each positive that is found), each with its
        interval over patients; ``counts`` of hits, misses, false alarms and right negatives.
    """
    positive, level = scored.is_positive, evaluation.level
    cells = [decided & positive, ~decided & positive, decided & ~positive, ~decided & ~positive]
    hit, missed, false, right = (
        np.bincount(scored.patients, cell, minlength=scored.n_patients) for cell in cells
    )
    draws: dict[str, NDArray] = {}
    if rechoose:
        _, draws = resample_measures(
            rechoose_thresholds(scored, evaluation.threshold),
            scored.n_patients,
            len(positive),
            evaluation.resamples,
            evaluation.seed,
        )
    sensitivity = interval_share(hit, hit + missed, level, draws=draws.get("sensitivity_error"))
    specificity = interval_share(right, false + right, level, draws=draws.get("specificity_error"))
    alarms, misses = _complement(specificity), _complement(sensitivity)
    share = evaluation.threshold.prevalence
    ppv = _combine(sensitivity, alarms, share / (1 - share))
    value, low, high = (1 / end if end else np.nan for end in _read_ends(ppv))
    result: dict[str, Any] = {
        "sensitivity": sensitivity,
        "specificity": specificity,
        "ppv": ppv,
        "npv": _combine(specificity, misses, (1 - share) / share),
        "recalled": _mix(sensitivity, alarms, share),
        "recalls_per_found": build_measure(value, high, low, _count_noted(ppv), ppv["method"]),
    }
    if rechoose:
        for measure in result.values():
            measure["method"] += f", {CHOSEN_AGAIN}"
    counts = {"hit": hit, "missed": missed, "false_alarm": false, "right": right}
    return result | {"counts": {name: int(cell.sum()) for name, cell in counts.items()}}


def _read_ends(measure: Measure) -> tuple[float, float, float]:
    """Return value, low and high, NaN where undefined."""
    ends = np.array([measure["value"], measure["low"], measure["high"]], dtype=float)
    return float(ends[0]), float(ends[1]), float(ends[2])


def _count_noted(*measures: Measure) -> int:
    """Return a number of patients that keeps the measures' note."""
    return 0 if any(measure["note"] for measure in measures) else MIN_PATIENTS


def _complement(measure: Measure) -> Measure:
    value, low, high = (1 - end for end in _read_ends(measure))
    return build_measure(value, high, low, _count_noted(measure), measure["method"])


def _combine(above: Measure, below: Measure, odds: float) -> Measure:
    return build_measure(*limit_ratio(above, below, odds), _count_noted(above, below), above["method"])


def _mix(one: Measure, other: Measure, share: float) -> Measure:
    """Return the mean of two independent shares, weighed, with its interval from theirs."""
    (x, x_low, x_high), (y, y_low, y_high) = (_read_ends(measure) for measure in (one, other))
    value = share * x + (1 - share) * y
    low = value - np.hypot(share * (x - x_low), (1 - share) * (y - y_low))
    high = value + np.hypot(share * (x_high - x), (1 - share) * (y_high - y))
    return build_measure(value, low, high, _count_noted(one, other), one["method"])


def rechoose_thresholds(scored: Scored, params: ThresholdParams) -> WeightedMeasures:
    """Prepare sensitivity and specificity when each fold is decided by the threshold of the other folds' resample.

    Their ``_error`` is how far they lie from what the whole resample's threshold reaches on all patients. The scores
    are those of the networks: a temperature would not change their order.
    """
    known = np.unique(scored.score)
    middles = (known[1:] + known[:-1]) / 2
    if len(middles) > MAX_CANDIDATES:
        middles = middles[np.linspace(0, len(middles) - 1, MAX_CANDIDATES).astype(int)]
    candidates = np.concatenate([[0.0], middles, [1.0]])
    places = np.searchsorted(candidates, scored.score, side="right") - 1
    folds = []
    for fold in np.unique(scored.folds):
        inside = scored.folds == fold
        patients, codes = np.unique(scored.patients[inside], return_inverse=True)
        counts = np.zeros((2, len(patients), len(candidates)))
        for side, layer in zip((scored.is_positive, ~scored.is_positive), counts, strict=True):
            np.add.at(layer, (codes[side[inside]], places[inside & side]), 1)
        # How many of a patient's samples lie above each candidate.
        folds.append((patients, counts[:, :, ::-1].cumsum(axis=2)[:, :, ::-1]))
    even = int(np.searchsorted(candidates, EVEN_ODDS))
    # For a resample these patients are the new ones.
    everyone = [np.sum([counts[side].sum(axis=0) for _, counts in folds], axis=0) for side in (0, 1)]
    everyone = [above / above[0] for above in everyone]

    def measure(weights: NDArray) -> dict[str, NDArray]:
        above = [[weights[:, patients] @ layer for layer in counts] for patients, counts in folds]
        found_all, false_all = (np.sum([fold[side] for fold in above], axis=0) for side in (0, 1))
        hits, alarms = np.zeros(len(weights)), np.zeros(len(weights))
        rows = np.arange(len(weights))
        for found, false in above:
            chosen = _choose_rows(found_all - found, false_all - false, candidates, params, even)
            hits += found[rows, chosen]
            alarms += false[rows, chosen]
        sensitivity, specificity = divide(hits, found_all[:, 0]), 1 - divide(alarms, false_all[:, 0])
        own = _choose_rows(found_all, false_all, candidates, params, even)
        return {
            "sensitivity": sensitivity,
            "specificity": specificity,
            "sensitivity_error": sensitivity - everyone[0][own],
            "specificity_error": specificity - (1 - everyone[1][own]),
        }

    return measure


def _choose_rows(
    found: NDArray, false: NDArray, candidates: NDArray, params: ThresholdParams, even: int
) -> NDArray[np.integer]:
    """Choose a candidate for each row of counts above the candidates, as ``choose_threshold`` does."""
    positives, negatives = found[:, :1], false[:, :1]
    one_sided = ((positives == 0) | (negatives == 0))[:, 0]
    found, false = (
        divide(found, np.broadcast_to(positives, found.shape)),
        divide(false, np.broadcast_to(negatives, false.shape)),
    )
    if params.rule == "sensitivity":
        suited = found >= params.at - 1e-12
        chosen = len(candidates) - 1 - suited[:, ::-1].argmax(axis=1)
    else:
        gain = found - false if params.rule == "youden" else -_price(found, false, params)
        best = gain >= gain.max(axis=1, keepdims=True) - 1e-12
        middle = best.sum(axis=1, keepdims=True) // 2 + 1
        chosen = (best.cumsum(axis=1) >= middle).argmax(axis=1)
    return np.where(one_sided, even, chosen)


def _count_above(scores: NDArray, candidates: NDArray) -> NDArray:
    return len(scores) - np.searchsorted(np.sort(scores), candidates, side="left")


def _price(found: NDArray, false: NDArray, params: ThresholdParams) -> NDArray:
    return params.at * params.prevalence * (1 - found) + (1 - params.prevalence) * false


def measure_trust(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> dict[str, Any]:
    """Fit temperature and threshold for the final model, and measure what such a fit is worth.

    What goes with the model is fitted on all out-of-fold predictions. What is stated of it is cross-fitted: each
    fold's samples are measured with the temperature and threshold of the other folds. A temperature goes with the
    model only if it clearly lowers the cross-fitted log loss; otherwise the probabilities stay as they are.

    Args:
        predictions: Pooled out-of-fold predictions; only the trained network's are used.
        question: The labels and the positive one.
        evaluation: The rule, the prevalence, resamples, level and seed.

    Returns:
        ``temperature`` of the model, ``fitted_temperature`` (a measure), ``fold_temperatures`` and
        ``log_loss_change`` that they bring, cross-fitted; ``threshold`` (None with more than two labels) and
        ``fold_thresholds``; ``rule``, ``at``, ``prevalence``; ``calibration`` with ``before`` and ``after`` (with the
        fitted temperatures, whether they are used or not) as ``measure_calibration`` gives them; ``operation`` with
        ``chosen`` and ``even_odds`` as ``measure_operation`` does, and ``on_these`` patients the sensitivity and
        specificity of the model's own threshold (empty with more than two labels).
    """
    rows = predictions[predictions["model"] == MAIN_MODEL]
    scored = read_scored(rows, question, MAIN_MODEL)
    two = len(scored.labels) == 2
    others = {fold: scored.select(scored.folds != fold) for fold in np.unique(scored.folds)}
    temperatures = {fold: fit_temperature(part.probabilities, part.truth) for fold, part in others.items()}
    calibrated = scored.probabilities.copy()
    for fold, temperature in temperatures.items():
        inside = scored.folds == fold
        calibrated[inside] = apply_temperature(scored.probabilities[inside], temperature)
    change = measure_loss_change(scored, calibrated, evaluation.level)
    fitted = measure_temperature(scored, evaluation.level)
    better = change["high"] is not None and change["high"] < 0 and fitted["value"] is not None
    temperature = float(fitted["value"]) if better and fitted["value"] else 1.0
    columns = [f"p_{label}" for label in scored.labels]
    after = rows.assign(**dict(zip(columns, calibrated.T, strict=True)))
    threshold, thresholds, operation = None, {}, {}
    if two:
        threshold = _fit_threshold(scored, temperature, evaluation)
        decided = np.zeros(len(rows), bool)
        for fold, part in others.items():
            inside = scored.folds == fold
            used = temperatures[fold] if better else 1.0
            thresholds[fold] = _fit_threshold(part, used, evaluation)
            decided[inside] = _calibrate(scored, used)[inside] >= thresholds[fold]
        own = _calibrate(scored, temperature) >= threshold
        rechoose = evaluation.threshold.rule != "fixed" and len(others) > 1
        operation = {
            "chosen": measure_operation(scored, decided, evaluation, rechoose),
            "even_odds": measure_operation(scored, scored.score >= EVEN_ODDS, evaluation),
            "on_these": {
                "sensitivity": float(own[scored.is_positive].mean()),
                "specificity": float(1 - own[~scored.is_positive].mean()),
            },
        }
    return {
        "temperature": temperature,
        "fitted_temperature": fitted,
        "log_loss_change": change,
        "fold_temperatures": {f"fold_{fold}": value for fold, value in temperatures.items()},
        "threshold": threshold,
        "fold_thresholds": {f"fold_{fold}": value for fold, value in thresholds.items()},
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


def _calibrate(scored: Scored, temperature: float) -> NDArray:
    return apply_temperature(scored.probabilities, temperature)[:, scored.positive]


def _fit_threshold(scored: Scored, temperature: float, evaluation: EvaluationParams) -> float:
    """Return the threshold for calibrated probabilities; where no samples are left there is nothing to choose it by."""
    if len(scored.truth) == 0:
        return evaluation.cut
    return choose_threshold(_calibrate(scored, temperature), scored.is_positive, evaluation.threshold)
