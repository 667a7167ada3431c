"""Intervals in closed form, for measures whose bootstrap percentiles cover too little.

With few patients of a label, or near 0 and 1, percentiles of a bootstrap are too narrow (docs/explanation/coverage.md).
Here the variance is computed from the patients' contributions (Obuchowski, Biometrics 1997), and the interval is taken
on a scale that cannot leave 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mammoscan.evaluation.predictions import Scored
from mammoscan.records.measures import Measure

# With fewer patients of a label, intervals in closed form cover less than they say: docs/explanation/coverage.md.
MIN_PATIENTS = 10
# Where the variance comes from resamples, it takes more.
MIN_RESAMPLED_PATIENTS = 20
MAX_UNDEFINED = 0.05
TOO_FEW = "too few patients to say anything"
# In cross-validation each pair of patients of different folds counts twice: once the first helps to train the network
# that scores the second, once the other way round. The folds' measures are correlated by that, and without a signal the
# variance of their mean is twice what it is for networks that were given.
TRAINING_VARIANCE = 2.0
WITH_TRAINING = "with the variance of training"
GIVEN_NETWORKS = "given these networks"
AUC_METHOD = "clustered variance of the AUC, logit scale"
SHARE_METHOD = "Wilson with the effective number of samples"
RESAMPLED_METHOD = "variance over resamples of patients, logit scale"
DIFFERENCE_METHOD = "variance over resamples of patients, t quantile"
MEAN_METHOD = "clustered variance, t quantile"


def name_method(method: str, folds: int) -> str:
    """Return a method's name with what its interval holds: one division says nothing of the variance of training."""
    return f"{method}, {WITH_TRAINING if folds > 1 else GIVEN_NETWORKS}"


def inflate(folds: int) -> float:
    """Return by how much training multiplies the variance that patients alone give."""
    return TRAINING_VARIANCE if folds > 1 else 1.0


@lru_cache(maxsize=1024)
def quantile(level: float, patients: int) -> float:
    """Return Student's quantile for an interval over so many patients of the rarest label."""
    from scipy.stats import t

    return float(t.ppf((1 + level) / 2, max(patients - 1, 1)))


@lru_cache(maxsize=64)
def normal_quantile(level: float) -> float:
    """Return the normal distribution's quantile for a two-sided interval."""
    from scipy.stats import norm

    return float(norm.ppf((1 + level) / 2))


def rank_within_folds(scored: Scored, label: int, pooled: bool = False) -> tuple[float, NDArray, NDArray]:
    """Compute the AUC within folds, and what each patient's positives and negatives contribute to it.

    Args:
        scored: The predictions.
        label: Which label counts as positive.
        pooled: Whether samples of different folds are compared too.

    Returns:
        The mean of the folds' AUCs, each weighing as many pairs as it holds, and ``[n_patients]`` contributions of
        positives and of negatives; each sums to nearly 0. All NaN where no fold holds both sides.
    """
    score, positive = scored.probabilities[:, label], scored.truth == label
    folds = np.zeros_like(scored.folds) if pooled else scored.folds
    right, pairs = np.zeros((2, scored.n_patients)), np.zeros((2, scored.n_patients))
    for fold in np.unique(folds):
        up, down = (np.flatnonzero((folds == fold) & side) for side in (positive, ~positive))
        for side, (own, other, sign) in enumerate(((up, down, 1), (down, up, -1))):
            against = np.sort(sign * score[other])
            mine = sign * score[own]
            wins = np.searchsorted(against, mine, "left") + np.searchsorted(against, mine, "right")
            np.add.at(right[side], scored.patients[own], wins / 2)
            np.add.at(pairs[side], scored.patients[own], len(other))
    total = pairs[0].sum()
    if total == 0:
        nothing = np.full(scored.n_patients, np.nan)
        return np.nan, nothing, nothing
    value = right[0].sum() / total
    of_positives, of_negatives = (right - value * pairs) / total
    return float(value), of_positives, of_negatives


def measure_auc(scored: Scored, level: float, pooled: bool = False) -> Measure:
    """Measure the AUC of the positive label, with the interval that ``interval_auc`` gives.

    Args:
        scored: The predictions.
        level: The interval's level.
        pooled: Whether samples of different folds are compared too.
    """
    value, *contributions = rank_within_folds(scored, scored.positive, pooled)
    sides = (np.unique(scored.patients[side]).size for side in (scored.is_positive, ~scored.is_positive))
    return interval_auc(
        value, cluster_variance(*contributions), min(sides), level, AUC_METHOD, scored.count_folds()
    )


def cluster_variance(*parts: NDArray) -> float:
    """Return the variance of a sum of patients' contributions, given in parts of which each is centred on 0.

    Each part, and each product of two, is corrected for the number of patients that contribute to it.
    """
    variance = 0.0
    for index, first in enumerate(parts):
        for second in parts[: index + 1]:
            both = (first != 0) | (second != 0)
            count = int(both.sum())
            product = float((first * second).sum())
            variance += product * count / max(count - 1, 1) * (1 if first is second else 2)
    return max(variance, 0.0)


def interval_auc(
    value: float, variance: float, patients: int, level: float, method: str, folds: int = 1
) -> Measure:
    """Return the interval of an AUC, or of another share of pairs, from its variance over patients.

    On the logit scale with Student's quantile. At exactly 1 there is no variance to go by: then the lower end is the
    AUC at which so many patients of the rarest label would all be ranked rightly in ``(1 - level) / 2`` of data sets.

    Args:
        value: The measure.
        variance: Its variance over patients, given the networks.
        patients: Patients of the rarest label.
        level: The interval's level.
        method: How the variance was found.
        folds: How many networks were cross-validated.
    """
    if not np.isfinite(value) or not np.isfinite(variance) or patients < 2:
        return build_measure(value, np.nan, np.nan, 0, name_method(method, folds))
    edge = ((1 - level) / 2) ** (1 / patients)
    if value >= 1 or value <= 0:
        low, high = (edge, 1.0) if value >= 1 else (0.0, 1 - edge)
    else:
        half = quantile(level, patients) * np.sqrt(inflate(folds) * variance) / (value * (1 - value))
        logit = np.log(value / (1 - value))
        low, high = (1 / (1 + np.exp(-(logit + sign * half))) for sign in (-1, 1))
    return build_measure(value, low, high, patients, name_method(method, folds))


def count_effective(hits: NDArray, totals: NDArray, samples: float | None = None) -> tuple[float, float, int]:
    """Return a share, the number of independent samples that would be as uncertain, and the patients it rests on.

    Args:
        hits: For each patient the number of samples that count.
        totals: For each patient the number of samples.
        samples: How many samples there are, where ``totals`` are weights.
    """
    total, patients = float(totals.sum()), int((totals > 0).sum())
    if total == 0:
        return np.nan, 0.0, 0
    value = float(hits.sum() / total)
    # If all samples of a patient said the same, so many samples would be left.
    fewest = total**2 / float((totals**2).sum())
    variance = cluster_variance((hits - value * totals) / total)
    if patients < 2 or value in (0, 1) or variance == 0:
        return value, fewest, patients
    return value, float(np.clip(value * (1 - value) / variance, fewest, samples or total)), patients


def limit_share(value: float, effective: float, patients: int, level: float) -> tuple[float, float]:
    """Return Wilson's limits of a share that is worth ``effective`` independent samples of so many patients."""
    if not np.isfinite(value) or patients < 2 or effective <= 0:
        return np.nan, np.nan
    z = normal_quantile(level)
    # The design effect is itself estimated from the patients.
    count = effective * (z / quantile(level, patients)) ** 2
    centre = (value + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(value * (1 - value) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    low, high = max(0.0, float(centre - half)), min(1.0, float(centre + half))
    return (0.0 if value == 0 else low), (1.0 if value == 1 else high)


def interval_share(
    hits: NDArray,
    totals: NDArray,
    level: float,
    transform: Callable[[float], float] = float,
    draws: NDArray | None = None,
    samples: float | None = None,
) -> Measure:
    """Return the interval of a share of samples, patients being drawn.

    Args:
        hits: For each patient the number of samples that count.
        totals: For each patient the number of samples.
        level: The interval's level.
        transform: A rising function of the share that is measured in its stead, e.g. F1 of Jaccard's index.
        draws: Its errors on resamples of patients, where more than their samples varies there.
        samples: How many samples there are, where ``totals`` are weights.
    """
    value, effective, patients = count_effective(hits, totals, samples)
    if draws is not None and patients > 1:
        # A share of 0 or 1 would leave no variance to compare with: shrink it a little.
        inner = float(np.clip(value, 1 / (patients + 2), 1 - 1 / (patients + 2)))
        variance = float(np.nanvar(draws))
        effective = min(effective, inner * (1 - inner) / variance) if variance > 0 else effective
    low, high = limit_share(value, effective, patients, level)
    value, low, high = (transform(end) if np.isfinite(end) else np.nan for end in (value, low, high))
    return build_measure(value, low, high, patients, f"{SHARE_METHOD}, {GIVEN_NETWORKS}")


def interval_mean_of(parts: Sequence[Measure], correlations: NDArray | None = None) -> Measure:
    """Return the mean of measures with its interval, from theirs (Zou and Donner, 2008).

    Args:
        parts: The measures.
        correlations: Of one with another; independent without it.
    """
    ends = ([part[key] for part in parts] for key in ("value", "low", "high"))
    values, lows, highs = (np.array(end, dtype=float) for end in ends)
    together = np.eye(len(parts)) if correlations is None else correlations
    value = values.mean()
    below, above = (np.sqrt(max(side @ together @ side, 0.0)) for side in (values - lows, highs - values))
    fewest = 0 if any(part["note"] for part in parts) else MIN_PATIENTS
    return build_measure(
        value, value - below / len(parts), value + above / len(parts), fewest, parts[0]["method"]
    )


def correlate_shares(hits: NDArray, totals: NDArray) -> NDArray:
    """Return how shares of samples are correlated over patients, ``[K, K]``; 1 where a share does not vary.

    Args:
        hits: For each share and patient the number of samples that count, ``[K, n_patients]``.
        totals: The same of all samples.
    """
    shares = hits.sum(axis=1) / np.maximum(totals.sum(axis=1), 1)
    parts = hits - shares[:, None] * totals
    lengths = np.linalg.norm(parts, axis=1)
    products = lengths[:, None] * lengths
    return np.where(products > 0, parts @ parts.T / np.where(products > 0, products, 1), 1.0)


def interval_mean(sums: NDArray, totals: NDArray, fewest: int, level: float) -> Measure:
    """Return the interval of a mean over samples, patients being drawn.

    Args:
        sums: For each patient the sum over its samples.
        totals: For each patient the number of samples.
        fewest: Patients of the rarest label.
        level: The interval's level.
    """
    total = totals.sum()
    value = float(sums.sum() / total)
    half = quantile(level, fewest) * np.sqrt(cluster_variance((sums - value * totals) / total))
    return build_measure(value, value - half, value + half, fewest, f"{MEAN_METHOD}, {GIVEN_NETWORKS}")


def interval_loss(losses: NDArray, totals: NDArray, fewest: int, level: float) -> Measure:
    """Return the interval of a mean loss, patients being drawn: on the logarithm's scale, since losses are skewed.

    Args:
        losses: For each patient the sum over its samples.
        totals: For each patient the number of samples.
        fewest: Patients of the rarest label.
        level: The interval's level.
    """
    total = totals.sum()
    value = float(losses.sum() / total)
    deviation = np.sqrt(cluster_variance((losses - value * totals) / total))
    factor = np.exp(quantile(level, fewest) * deviation / value) if value > 0 else np.nan
    return build_measure(value, value / factor, value * factor, fewest, f"{MEAN_METHOD}, {GIVEN_NETWORKS}")


def limit_ratio(above: Measure, below: Measure, odds: float) -> tuple[float, float, float]:
    """Return the probability whose odds are ``odds * above / below``, with limits from theirs (Zou and Donner, 2008).

    Args:
        above: A share, e.g. the sensitivity.
        below: Another that is independent of it, e.g. the share of false alarms.
        odds: What multiplies their ratio, e.g. the odds of being positive.
    """
    ends = ([measure[key] for key in ("value", "low", "high")] for measure in (above, below))
    with np.errstate(all="ignore"):
        (x, x_low, x_high), (y, y_low, y_high) = (np.log(np.array(end, dtype=float)) for end in ends)
        value = np.log(odds) + x - y
        if np.isfinite(value):
            low = value - np.hypot(x - x_low, y_high - y)
            high = value + np.hypot(x_high - x, y - y_low)
        else:
            # One of the shares is 0: there is no middle to measure from.
            low, high = np.log(odds) + x_low - y_high, np.log(odds) + x_high - y_low
        value, low, high = (1 / (1 + np.exp(-end)) for end in (value, low, high))
    return float(value), float(low), float(high)


def interval_resampled(value: float, draws: NDArray, patients: int, level: float) -> Measure:
    """Return the interval of a measure between 0 and 1 from its variance over resamples, on the logit scale.

    Args:
        value: The measure on the data.
        draws: The same on the resamples, NaN where undefined.
        patients: Patients of the rarest label.
        level: The interval's level.
    """
    defined = draws[np.isfinite(draws)]
    variance = float(np.var(defined, ddof=1)) if len(defined) > 1 else np.nan
    measure = interval_auc(value, variance, patients, level, RESAMPLED_METHOD)
    measure["undefined"] = len(draws) - len(defined)
    if measure["undefined"] > MAX_UNDEFINED * len(draws) or patients < MIN_RESAMPLED_PATIENTS:
        measure["note"] = TOO_FEW
    return measure


def interval_difference(value: float, draws: NDArray, patients: int, level: float, folds: int) -> Measure:
    """Return the interval of a difference of two AUCs from its resamples: standard deviation and Student's quantile.

    Args:
        value: The difference on the data.
        draws: The same on resamples of patients.
        patients: Patients of the rarest label.
        level: The interval's level.
        folds: How many networks were cross-validated.
    """
    defined = draws[np.isfinite(draws)]
    deviation = float(np.std(defined, ddof=1)) if len(defined) > 1 else np.nan
    half = quantile(level, patients) * np.sqrt(inflate(folds)) * deviation
    undefined = len(draws) - len(defined)
    low, high = np.clip([value - half, value + half], -1, 1)
    return build_measure(value, low, high, patients, name_method(DIFFERENCE_METHOD, folds), undefined)


def build_measure(
    value: float, low: float, high: float, patients: int, method: str, undefined: int = 0
) -> Measure:
    """Return a measure; its note says where it rests on too few patients of the rarest label."""
    bounded = bool(np.isfinite([value, low, high]).all())
    return Measure(
        value=none_if_nan(value),
        low=none_if_nan(low) if bounded else None,
        high=none_if_nan(high) if bounded else None,
        undefined=undefined,
        note="" if bounded and patients >= MIN_PATIENTS else TOO_FEW,
        method=method,
    )


def none_if_nan(value: float) -> float | None:
    """Return a number that JSON can hold."""
    return float(value) if np.isfinite(value) else None
