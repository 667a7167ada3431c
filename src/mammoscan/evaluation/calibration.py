"""Calibration: do stated probabilities agree with frequencies, and does a temperature make them agree better?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mammoscan.evaluation import intervals
from mammoscan.evaluation.predictions import Scored, list_models, read_scored
from mammoscan.params import EvaluationParams, Question
from mammoscan.records.measures import Measure

# The smallest probability that a float32 softmax tells from 0.
SMALLEST = 1e-7
COLDEST, HOTTEST = 0.05, 20.0
SIMULATIONS = 500
SANDWICH = "leave-one-patient-out variance, t quantile"


def apply_temperature(probabilities: NDArray, temperature: float) -> NDArray:
    """Divide the logarithms of probabilities by a temperature.

    Args:
        probabilities: ``[N, labels]``, rows summing to 1.
        temperature: 1 changes nothing; above 1 everything comes nearer to equal shares.

    Returns:
        ``[N, labels]`` of the same type, rows summing to 1.
    """
    if temperature == 1:
        return probabilities
    logits = np.log(np.clip(probabilities.astype(np.float64), SMALLEST, 1)) / temperature
    scaled = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (scaled / scaled.sum(axis=1, keepdims=True)).astype(probabilities.dtype)


def fit_temperature(probabilities: NDArray, truth: NDArray[np.integer]) -> float:
    """Find the temperature under which the labels are likeliest.

    Args:
        probabilities: ``[N, labels]``, of samples that the network was not trained on.
        truth: Index of each sample's label.

    Returns:
        The temperature, between ``COLDEST`` and ``HOTTEST``; 1 where there is nothing to fit it to.
    """
    from scipy.optimize import minimize_scalar

    if len(probabilities) == 0:
        return 1.0
    rows = np.arange(len(truth))

    def measure_loss(logarithm: float) -> float:
        scaled = apply_temperature(probabilities.astype(np.float64), float(np.exp(logarithm)))
        return -float(np.log(np.clip(scaled[rows, truth], SMALLEST, 1)).mean())

    bounds = (float(np.log(COLDEST)), float(np.log(HOTTEST)))
    return float(np.exp(minimize_scalar(measure_loss, bounds=bounds, method="bounded").x))


def measure_temperature(scored: Scored, level: float) -> Measure:
    """Fit the temperature and give its interval: of its logarithm, each patient being left out in turn.

    Args:
        scored: Predictions of samples that the networks were not trained on.
        level: The interval's level.
    """
    value = fit_temperature(scored.probabilities, scored.truth)
    logits = np.log(np.clip(scored.probabilities.astype(np.float64), SMALLEST, 1))
    scaled = apply_temperature(scored.probabilities.astype(np.float64), value)
    mean = (scaled * logits).sum(axis=1)
    slopes = logits[np.arange(len(logits)), scored.truth] - mean
    curvatures = (scaled * logits**2).sum(axis=1) - mean**2
    deviation = np.sqrt(_jackknife(slopes[:, None], curvatures[:, None, None], scored)[0, 0]) * value
    fewest = int(scored.count_label_patients().min())
    factor = np.exp(intervals.quantile(level, fewest) * deviation)
    if not COLDEST * 1.01 < value < HOTTEST / 1.01:
        factor = np.nan
    method = f"{SANDWICH}, {intervals.GIVEN_NETWORKS}"
    return intervals.build_measure(value, value / factor, value * factor, fewest, method)


def measure_calibration(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams, bins: int = 10
) -> dict[str, dict[str, Any]]:
    """Measure how the positive label's probability agrees with its frequency.

    Args:
        predictions: Pooled out-of-fold predictions of one or several models.
        question: The labels and the positive one.
        evaluation: Level and seed.
        bins: Number of equally wide bins.

    Returns:
        For each model ``brier`` (of the positive label); ``slope`` and ``intercept`` of a logistic regression of the
        label on the probability's logit (the intercept with a slope of 1), 1 and 0 where probabilities are calibrated;
        ``ece`` (expected calibration error), which is above 0 even then, and so without an interval, and
        ``ece_if_calibrated``, the range in which it would lie then; ``bins``, a list of those with samples: ``from``,
        ``to``, ``samples``, ``patients``, mean ``predicted``, and ``observed`` with ``low`` and ``high``.
    """
    return {
        model: _measure_model(read_scored(predictions, question, model), evaluation, bins)
        for model in list_models(predictions)
    }


def measure_loss_change(scored: Scored, changed: NDArray, level: float) -> Measure:
    """Measure by how much other probabilities change the log loss of the same samples.

    Args:
        scored: The predictions.
        changed: The other probabilities, ``[N, labels]``.
        level: The interval's level.
    """
    rows = np.arange(len(scored.truth))
    before, after = (
        -np.log(np.clip(table[rows, scored.truth], SMALLEST, 1)) for table in (scored.probabilities, changed)
    )
    sums = np.bincount(scored.patients, after - before, minlength=scored.n_patients)
    totals = np.bincount(scored.patients, minlength=scored.n_patients).astype(float)
    return intervals.interval_mean(sums, totals, int(scored.count_label_patients().min()), level)


def _measure_model(scored: Scored, evaluation: EvaluationParams, bins: int) -> dict[str, Any]:
    score, positive = scored.score, scored.is_positive.astype(float)
    level = evaluation.level
    places = np.minimum((score * bins).astype(int), bins - 1)
    fewest = int(scored.count_label_patients().min())
    totals = np.bincount(scored.patients, minlength=scored.n_patients).astype(float)
    errors = np.bincount(scored.patients, (score - positive) ** 2, minlength=scored.n_patients)
    slope, intercept = _measure_line(scored, fewest, level)
    error = _measure_error(score, positive, places, bins)
    result: dict[str, Any] = {
        "brier": intervals.interval_loss(errors, totals, fewest, level),
        "slope": slope,
        "intercept": intercept,
        "ece": Measure(value=error, low=None, high=None, undefined=0, note="", method="biased upwards"),
        "ece_if_calibrated": _simulate_error(scored, places, bins, evaluation),
        "bins": [],
    }
    for k in np.unique(places):
        inside = places == k
        hits, counts = (
            np.bincount(scored.patients[inside], column, minlength=scored.n_patients)
            for column in (positive[inside], np.ones(inside.sum()))
        )
        observed = intervals.interval_share(hits, counts, level)
        result["bins"].append(
            {
                "from": float(k / bins),
                "to": float((k + 1) / bins),
                "samples": int(inside.sum()),
                "patients": int((counts > 0).sum()),
                "predicted": float(score[inside].mean()),
                "observed": observed["value"],
                "low": observed["low"],
                "high": observed["high"],
            }
        )
    return result


def _measure_error(score: NDArray, positive: NDArray, places: NDArray, bins: int) -> float:
    """Return the expected calibration error."""
    return float(np.abs(np.bincount(places, positive - score, minlength=bins)).sum() / len(score))


def _simulate_error(scored: Scored, places: NDArray, bins: int, evaluation: EvaluationParams) -> Measure:
    """Return the calibration error's median and range if labels were drawn by the very probabilities that are stated.

    Patients whose samples share a label in fact share it here: each patient does so with the probability by which the
    residuals of one patient are correlated.
    """
    rng = np.random.default_rng(evaluation.seed)
    agreement = _correlate_residuals(scored)
    errors = []
    for _ in range(SIMULATIONS):
        shared = rng.random(scored.n_patients)[scored.patients]
        alike = (rng.random(scored.n_patients) < agreement)[scored.patients]
        labels = np.where(alike, shared, rng.random(len(scored.score))) < scored.score
        errors.append(_measure_error(scored.score, labels.astype(float), places, bins))
    tail = (1 - evaluation.level) / 2
    low, value, high = np.quantile(errors, [tail, 0.5, 1 - tail])
    return Measure(
        value=float(value),
        low=float(low),
        high=float(high),
        undefined=0,
        note="",
        method="labels simulated by the stated probabilities",
    )


def _correlate_residuals(scored: Scored) -> float:
    """Return the correlation of standardised residuals within patients, at least 0."""
    spread = np.sqrt(np.clip(scored.score * (1 - scored.score), SMALLEST, None))
    residuals = (scored.is_positive - scored.score) / spread
    # A label that was called all but impossible would outweigh all others.
    residuals = np.clip(residuals, -5, 5)
    sums = np.bincount(scored.patients, residuals, minlength=scored.n_patients)
    counts = np.bincount(scored.patients, minlength=scored.n_patients)
    products = (sums**2).sum() - (residuals**2).sum()
    pairs = (counts * (counts - 1)).sum()
    if pairs == 0:
        return 0.0
    return float(np.clip(products / pairs / np.mean(residuals**2), 0, 1))


def _measure_line(scored: Scored, fewest: int, level: float) -> tuple[Measure, Measure]:
    """Return the slope of the label on the probability's logit, and the intercept where the slope is 1."""
    p = np.clip(scored.score.astype(np.float64), SMALLEST, 1 - SMALLEST)
    logit = np.log(p / (1 - p))
    line = np.stack([np.ones_like(logit), logit], axis=1)
    found = []
    for design, offset in ((line, np.zeros_like(logit)), (line[:, :1], logit)):
        value, variance = _regress(design, offset, scored)
        half = intervals.quantile(level, fewest) * np.sqrt(variance)
        method = f"{SANDWICH}, {intervals.GIVEN_NETWORKS}"
        found.append(intervals.build_measure(value, value - half, value + half, fewest, method))
    return found[0], found[1]


def _regress(design: NDArray, offset: NDArray, scored: Scored) -> tuple[float, float]:
    """Return the last coefficient of a logistic regression and its variance; NaN where there is no finite one."""
    weights, positive = np.zeros(design.shape[1]), scored.is_positive
    if positive.all() or not positive.any() or np.ptp(design[:, -1]) == 0 != design.shape[1] - 1:
        return np.nan, np.nan
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(offset + design @ weights, -30, 30)))
        slopes = design * (positive - p)[:, None]
        curvatures = design[:, :, None] * design[:, None, :] * (p * (1 - p))[:, None, None]
        try:
            step = np.linalg.solve(curvatures.sum(axis=0), slopes.sum(axis=0))
        except np.linalg.LinAlgError:
            return np.nan, np.nan
        weights = weights + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8:
            return float(weights[-1]), float(_jackknife(slopes, curvatures, scored)[-1, -1])
    return np.nan, np.nan


def _jackknife(slopes: NDArray, curvatures: NDArray, scored: Scored) -> NDArray:
    """Return the covariance of fitted coefficients, each patient being left out in turn (by one Newton step).

    Args:
        slopes: Each sample's gradient of the log likelihood, ``[N, k]``.
        curvatures: Its negative second derivative, ``[N, k, k]``.
        scored: Whose the samples are.
    """
    width = slopes.shape[1]
    by_patient = np.zeros((scored.n_patients, width)), np.zeros((scored.n_patients, width, width))
    for sums, rows in zip(by_patient, (slopes, curvatures), strict=True):
        np.add.at(sums, scored.patients, rows)
    left = curvatures.sum(axis=0) - by_patient[1]
    try:
        steps = np.linalg.solve(left, by_patient[0][:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        return np.full((width, width), np.nan)
    return (scored.n_patients - 1) / scored.n_patients * steps.T @ steps
