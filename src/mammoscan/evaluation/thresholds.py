"""Choosing the threshold by a stated rule, and what the choice costs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammoscan.evaluation.intervals import resample_measures, summarise_draws
from mammoscan.evaluation.weighing import divide
from mammoscan.studies import EvaluationParams, ThresholdParams

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
) -> dict[str, dict]:
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
