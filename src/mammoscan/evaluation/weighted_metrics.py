"""Measures from weights: ``[b, patients]`` weights in, ``[b]`` values per measure out.

A value equals the measure on data in which each patient's samples are repeated as often as the weight says.
"""

from __future__ import annotations

import numpy as np

from mammoscan.evaluation.bootstrap import WeightedMeasures
from mammoscan.evaluation.predictions import Scored


def divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Divide, giving NaN (undefined) where the divisor is 0."""
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below != 0)


class Ranking:
    """Scores of positives and negatives, sorted once so that weights can be summed along them."""

    def __init__(self, score: np.ndarray, positive: np.ndarray, patients: np.ndarray) -> None:
        order = np.argsort(score, kind="stable")
        up, down = order[positive[order]], order[~positive[order]]
        self.positives, self.negatives = patients[up], patients[down]
        self.below = np.searchsorted(score[down], score[up], side="left")
        self.upto = np.searchsorted(score[down], score[up], side="right")
        self.first = np.searchsorted(score[up], score[up], side="left")

    def weigh(
        self, weights: np.ndarray, precision: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weigh all pairs of a positive and a negative.

        Args:
            weights: ``[b, patients]``.
            precision: Whether to compute the average precision too.

        Returns:
            Weight of the pairs that are ranked rightly (ties count half), weight of all pairs, and the
            average precision (NaN unless computed).
        """
        positives = weights[:, self.positives]
        rising = _accumulate(weights[:, self.negatives])
        n_positive, n_negative = positives.sum(axis=1), rising[:, -1]
        under = rising[:, self.below]
        right = (positives * (under + rising[:, self.upto])).sum(axis=1) / 2
        average = np.full(len(weights), np.nan)
        if precision:
            found = n_positive[:, None] - _accumulate(positives)[:, self.first]
            false = n_negative[:, None] - under
            shares = np.divide(found, found + false, out=np.zeros_like(found), where=found > 0)
            average = divide((positives * shares).sum(axis=1), n_positive)
        return right, n_positive * n_negative, average


def build_measures(scored: Scored, threshold: float) -> WeightedMeasures:
    """Prepare all measures of one model's predictions.

    Args:
        scored: The predictions.
        threshold: From which probability on a sample counts as positive, where there are two labels.

    Returns:
        A function from weights ``[b, patients]`` to values ``[b]`` by name.
    """
    pooled = Ranking(scored.score, scored.is_positive, scored.patients)
    labels = range(len(scored.labels)) if len(scored.labels) > 2 else [scored.positive]
    within = {label: _rank_folds(scored, label) for label in labels}
    confusion = sum_patients(scored, _spread_confusion(scored, scored.decide_labels(threshold)))
    losses = sum_patients(scored, lose_samples(scored))

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        right, pairs, average = pooled.weigh(weights, precision=True)
        areas = {label: _weigh_folds(rankings, weights) for label, rankings in within.items()}
        values = {"auc": areas[scored.positive], "auc_pooled": divide(right, pairs)}
        values["average_precision"] = average
        if len(scored.labels) > 2:
            values["auc_macro"] = np.mean(list(areas.values()), axis=0)
        shape = (len(weights), len(scored.labels), len(scored.labels))
        values |= _read_confusion((weights @ confusion).reshape(shape), scored)
        brier, log_loss, count = (weights @ losses).T
        return values | {"brier": divide(brier, count), "log_loss": divide(log_loss, count)}

    return measure


def build_auc(scored: Scored) -> WeightedMeasures:
    """Prepare the AUC within folds alone, which is much quicker than all measures.

    Args:
        scored: The predictions.

    Returns:
        A function from weights to ``{"auc": [b]}``.
    """
    rankings = _rank_folds(scored, scored.positive)
    return lambda weights: {"auc": _weigh_folds(rankings, weights)}


def _rank_folds(scored: Scored, label: int) -> list[Ranking]:
    """Rank each fold's samples by the probability of a label: two networks' probabilities need not compare."""
    sides = (scored.folds == fold for fold in np.unique(scored.folds))
    return [
        Ranking(scored.probabilities[inside, label], scored.truth[inside] == label, scored.patients[inside])
        for inside in sides
    ]


def _weigh_folds(rankings: list[Ranking], weights: np.ndarray) -> np.ndarray:
    """Return the mean of the folds' AUCs, each weighing as many pairs as it holds."""
    sums = [ranking.weigh(weights)[:2] for ranking in rankings]
    return divide(np.sum([right for right, _ in sums], axis=0), np.sum([pairs for _, pairs in sums], axis=0))


def _accumulate(values: np.ndarray) -> np.ndarray:
    rising = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=rising[:, 1:])
    return rising


def sum_patients(scored: Scored, columns: np.ndarray) -> np.ndarray:
    """Sum the samples' columns within patients: such sums are all that additive measures need."""
    sums = np.zeros((scored.n_patients, columns.shape[1]))
    for index in range(columns.shape[1]):
        sums[:, index] = np.bincount(scored.patients, columns[:, index], minlength=scored.n_patients)
    return sums


def _spread_confusion(scored: Scored, decided: np.ndarray) -> np.ndarray:
    size = len(scored.labels)
    return np.eye(size * size)[scored.truth * size + decided]


def lose_samples(scored: Scored) -> np.ndarray:
    """Return Brier's and the log loss of each sample, and 1."""
    wanted = np.eye(len(scored.labels))[scored.truth]
    brier = ((scored.probabilities - wanted) ** 2).sum(axis=1)
    if len(scored.labels) == 2:
        brier = brier / 2
    smallest = np.finfo(float).eps
    log_loss = -np.log(np.clip((scored.probabilities * wanted).sum(axis=1), smallest, 1 - smallest))
    return np.stack([brier, log_loss, np.ones(len(wanted))], axis=1)


def _read_confusion(counts: np.ndarray, scored: Scored) -> dict[str, np.ndarray]:
    """Read the measures off confusion matrices ``[b, truth, decided]``."""
    right = np.diagonal(counts, axis1=1, axis2=2)
    true, decided, total = counts.sum(axis=2), counts.sum(axis=1), counts.sum(axis=(1, 2))
    recall, precision = divide(right, true), divide(right, decided)
    f1 = divide(2 * right, true + decided)
    k = scored.positive
    negatives = total - true[:, k]
    values = {
        "accuracy": divide(right.sum(axis=1), total),
        "balanced_accuracy": recall.mean(axis=1),
        "sensitivity": recall[:, k],
        "specificity": divide(negatives - (decided[:, k] - right[:, k]), negatives),
        "precision": precision[:, k],
        "f1": f1[:, k],
        "macro_f1": f1.mean(axis=1),
    }
    if len(scored.labels) > 2:
        for index, label in enumerate(scored.labels):
            values |= {f"recall_{label}": recall[:, index], f"precision_{label}": precision[:, index]}
    return values
