"""Measure predicted numbers and ordered levels: error, agreement, Bland and Altman's limits, with patient intervals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mammoscan.evaluation import intervals
from mammoscan.evaluation.bootstrap import resample_measures
from mammoscan.evaluation.predictions import list_models
from mammoscan.params import EvaluationParams, TargetQuestion
from mammoscan.records.measures import Measure, Metrics, ModelMetrics

# Bland and Altman's limits hold 95 % of the differences, if these are normally distributed.
AGREEMENT = 1.96
RESAMPLED_METHOD = "variance over resamples of patients, t quantile"
# On which scale a measure's interval is taken, and the way back.
_SCALES: dict[str, tuple[Callable[[NDArray], NDArray], Callable[[NDArray], NDArray]]] = {
    "r2": (lambda value: -np.log1p(-value), lambda value: -np.expm1(-value)),
    **dict.fromkeys(("icc", "correlation", "kappa"), (np.arctanh, np.tanh)),
    **dict.fromkeys(("limit_low", "limit_high"), (np.asarray, np.asarray)),
}


def measure_targets(
    predictions: pd.DataFrame, question: TargetQuestion, evaluation: EvaluationParams
) -> Metrics:
    """Measure each model of a table of predicted numbers or levels.

    Args:
        predictions: Pooled out-of-fold predictions: ``model``, ``patient_id``, ``target``, ``prediction``.
        question: Numbers, or the levels; a level is predicted as its place, and decided by rounding.
        evaluation: Number of resamples, level and seed.

    Returns:
        For each model its measures, ``samples`` and ``patients``; ``r2``, ``mae``, ``rmse``, ``icc`` (two-way random,
        absolute agreement, single measurement: ICC(2,1) of truth and prediction), ``correlation``, ``bias`` (predicted
        less true), ``limit_low`` and ``limit_high`` (Bland and Altman); of levels ``kappa`` (quadratic weights),
        ``accuracy`` and ``within_one`` too.
    """
    digits = choose_digits(predictions["target"].to_numpy(dtype=float))
    return {
        model: _measure_model(predictions[predictions["model"] == model], question, evaluation, digits)
        for model in list_models(predictions)
    }


def choose_digits(truth: NDArray) -> int:
    """Return with how many decimals numbers of this spread are written: three digits of their standard deviation."""
    spread = float(np.std(truth))
    return 2 if spread == 0 else int(np.clip(2 - np.floor(np.log10(spread)), 0, 8))


def decide_levels(prediction: NDArray, levels: int) -> NDArray:
    """Return the nearest level's place."""
    return np.clip(np.rint(prediction), 0, levels - 1)


def limit_errors(errors: NDArray, level: float) -> tuple[float, float]:
    """Return the errors between which a share ``level`` of the next ones lies, if they are like these.

    The quantiles are those of split conformal prediction: one rank further out than the sample's own.
    """
    ordered, count = np.sort(errors), len(errors)
    tail = (1 - level) / 2
    below, above = int(np.floor((count + 1) * tail)), int(np.ceil((count + 1) * (1 - tail)))
    return float(ordered[max(below - 1, 0)]), float(ordered[min(above - 1, count - 1)])


def _measure_model(
    rows: pd.DataFrame, question: TargetQuestion, evaluation: EvaluationParams, digits: int
) -> ModelMetrics:
    truth, found = (rows[name].to_numpy(dtype=float) for name in ("target", "prediction"))
    codes, patients = pd.factorize(rows["patient_id"].astype(str), sort=True)
    count, level = len(patients), evaluation.level

    def sum_by_patient(values: NDArray) -> NDArray:
        return np.bincount(codes, values, minlength=count)

    totals, error = sum_by_patient(np.ones(len(truth))), found - truth
    measured: dict[str, Measure] = {
        "mae": intervals.interval_loss(sum_by_patient(np.abs(error)), totals, count, level),
        "rmse": _take_root(intervals.interval_loss(sum_by_patient(error**2), totals, count, level)),
        "bias": intervals.interval_mean(sum_by_patient(error), totals, count, level),
    }
    # Sums lose digits where numbers lie far from 0.
    centre = truth.mean()
    decided = decide_levels(found, len(question.levels)) if question.levels else None
    columns = [np.ones(len(truth)), *_list_products(truth - centre, found - centre)]
    columns += [] if decided is None else _list_products(truth - centre, decided - centre)
    sums = np.stack([sum_by_patient(column) for column in columns], axis=1)

    def measure(weights: NDArray) -> dict[str, NDArray]:
        return _compute_agreement((weights @ sums).T)

    values, draws = resample_measures(measure, count, len(truth), evaluation.resamples, evaluation.seed)
    for name, value in values.items():
        measured[name] = _interval(name, value, draws[name], count, level)
    if decided is not None:
        away = np.abs(decided - truth)
        for name, most in (("accuracy", 0), ("within_one", 1)):
            measured[name] = intervals.interval_share(sum_by_patient(away <= most), totals, level)
    in_units = ("mae", "rmse", "bias", "limit_low", "limit_high")
    order = ("kappa", "accuracy", "within_one", "r2", "mae", "rmse", "icc", "correlation", *in_units[2:])
    result: dict[str, Any] = {
        name: {**measured[name], "digits": digits} if name in in_units else measured[name]
        for name in order
        if name in measured
    }
    return result | {"samples": len(truth), "patients": count}


def _list_products(truth: NDArray, found: NDArray) -> list[NDArray]:
    return [truth, found, truth**2, found**2, truth * found]


def _compute_agreement(sums: NDArray) -> dict[str, NDArray]:
    """Compute measures from the sums of samples, of truth and prediction, of their squares and of their product.

    Args:
        sums: ``[6, b]``; ``[11, b]`` with the last five for decided levels in the prediction's stead.
    """
    n = sums[0]
    with np.errstate(all="ignore"):
        mean_truth, mean_found, squares, found_squares, products = sums[1:6] / n
        bias = mean_found - mean_truth
        variance, found_variance = squares - mean_truth**2, found_squares - mean_found**2
        covariance = products - mean_truth * mean_found
        # What is left of a constant by rounding is no variance.
        found_variance = np.where(found_variance > 1e-12 * found_squares, found_variance, 0)
        spread = np.maximum(variance + found_variance - 2 * covariance, 0) * n / (n - 1)
        # The mean squares of a two-way analysis of variance with two raters, truth and prediction.
        between = (variance + found_variance + 2 * covariance) / 2 * n / (n - 1)
        raters, within = n * bias**2 / 2, spread / 2
        result = {
            "r2": 1 - (squares + found_squares - 2 * products) / variance,
            "icc": (between - within) / (between + within + 2 * (raters - within) / n),
            "correlation": covariance / np.sqrt(variance * found_variance),
            "limit_low": bias - AGREEMENT * np.sqrt(spread),
            "limit_high": bias + AGREEMENT * np.sqrt(spread),
        }
        if len(sums) > 6:
            mean_truth, mean_found, squares, found_squares, products = sums[6:] / n
            disagreement = squares + found_squares - 2 * products
            # What two raters with the same shares of levels would disagree by chance.
            by_chance = squares + found_squares - 2 * mean_truth * mean_found
            result["kappa"] = 1 - disagreement / by_chance
    return result


def _interval(name: str, value: float, draws: NDArray, patients: int, level: float) -> Measure:
    """Return the interval of a measure from its resamples, on the scale on which it is least skewed."""
    forth, back = _SCALES[name]
    with np.errstate(all="ignore"):
        found = forth(np.asarray(draws))
        defined = found[np.isfinite(found)]
        deviation = float(np.std(defined, ddof=1)) if len(defined) > 1 else np.nan
        half = intervals.quantile(level, patients) * deviation
        middle = float(forth(np.asarray(value)))
        low, high = (float(back(np.asarray(middle + sign * half))) for sign in (-1, 1))
    undefined = len(draws) - len(defined)
    result = intervals.build_measure(
        value, low, high, patients, f"{RESAMPLED_METHOD}, {intervals.GIVEN_NETWORKS}", undefined
    )
    if patients < intervals.MIN_RESAMPLED_PATIENTS or undefined > intervals.MAX_UNDEFINED * len(draws):
        result["note"] = intervals.TOO_FEW
    return result


def _take_root(measure: Measure) -> Measure:
    def root(end: float | None) -> float | None:
        return None if end is None else float(np.sqrt(end))

    ends = (root(measure["value"]), root(measure["low"]), root(measure["high"]))
    return Measure(**{**measure, **dict(zip(("value", "low", "high"), ends, strict=True))})  # type: ignore[typeddict-item]
