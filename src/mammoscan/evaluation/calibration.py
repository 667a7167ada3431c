"""Whether probabilities mean what they say.

One number that makes probabilities less or more sure of themselves, and leaves their order alone.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mammoscan.evaluation.bootstrap import resample_measures, summarise_draws
from mammoscan.evaluation.predictions import Scored, list_models, read_scored
from mammoscan.evaluation.weighted_metrics import divide
from mammoscan.params import EvaluationParams, Question

# What a float32 softmax can tell from 0.
SMALLEST = 1e-7
COLDEST, HOTTEST = 0.05, 20.0


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


def measure_calibration(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams, bins: int = 10
) -> dict:
    """Measure how the positive label's probability agrees with its frequency.

    Args:
        predictions: Pooled out-of-fold predictions of one or several models.
        question: The labels and the positive one.
        evaluation: Number of resamples, level and seed.
        bins: Number of equally wide bins.

    Returns:
        For each model ``brier`` (of the positive label) and ``ece`` (expected calibration error), each with
        value and interval; ``bins``, a list of those with samples: ``from``, ``to``, ``samples``,
        ``patients``, mean ``predicted``, and ``observed`` with ``low`` and ``high``.
    """
    return {
        model: _measure_model(read_scored(predictions, question, model), evaluation, bins)
        for model in list_models(predictions)
    }


def _measure_model(scored: Scored, evaluation: EvaluationParams, bins: int) -> dict:
    score, positive = scored.score, scored.is_positive.astype(float)
    places = np.minimum((score * bins).astype(int), bins - 1)
    sums = np.zeros((3, scored.n_patients, bins))
    for layer, column in zip(sums, (np.ones_like(score), score, positive), strict=True):
        np.add.at(layer, (scored.patients, places), column)
    errors = np.bincount(scored.patients, (score - positive) ** 2, minlength=scored.n_patients)

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        counts, predicted, observed = (weights @ layer for layer in sums)
        total = counts.sum(axis=1)
        measured = {
            "brier": divide(weights @ errors, total),
            "ece": divide(np.abs(predicted - observed).sum(axis=1), total),
        }
        return measured | {str(k): divide(observed[:, k], counts[:, k]) for k in range(bins)}

    values, draws = resample_measures(
        measure, scored.n_patients, len(score), evaluation.resamples, evaluation.seed
    )
    fewest = int(scored.count_label_patients().min())
    result: dict = {
        name: summarise_draws(values[name], draws[name], evaluation.level, fewest)
        for name in ("brier", "ece")
    }
    result["ece"] = _centre_interval(result["ece"], draws["ece"])
    result["bins"] = []
    for k in np.unique(places):
        inside = places == k
        patients = len(np.unique(scored.patients[inside]))
        observed = summarise_draws(values[str(k)], draws[str(k)], evaluation.level, patients)
        result["bins"].append(
            {
                "from": float(k / bins),
                "to": float((k + 1) / bins),
                "samples": int(inside.sum()),
                "patients": patients,
                "predicted": float(score[inside].mean()),
                "observed": observed["value"],
                "low": observed["low"],
                "high": observed["high"],
            }
        )
    return result


def _centre_interval(interval: dict, draws: np.ndarray) -> dict:
    """Shift an interval so that its draws' median meets the value.

    Resampling adds noise to every bin, and noise only ever adds to this error: its draws lie above the value.
    """
    shift = interval["value"] - float(np.nanmedian(draws))
    return interval | {"low": max(0.0, interval["low"] + shift), "high": interval["high"] + shift}
