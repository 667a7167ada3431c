"""What an epoch's answers on the validation rows are worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammoscan.models.outputs import Task

# Keras clips probabilities here before it takes their logarithm; an epoch must not differ from its engine.
_EPSILON = 1e-7


def score_outputs(
    found: NDArray[np.float32], targets: NDArray, loss: str = "auto", task: Task = "classes"
) -> dict[str, float]:
    """Score a network's answers on the validation rows by its task; what is not defined for it is left out."""
    if task == "classes":
        return score_probabilities(found, targets, loss)
    values = found.astype(np.float64)
    if task == "numbers":
        error = np.abs(values[:, 0] - targets)
        losses = np.where(error < 1, error**2 / 2, error - 0.5) if loss == "huber" else error**2
        return {"val_loss": float(losses.mean())}
    known = np.isfinite(targets)
    clipped = np.clip(values, _EPSILON, 1 - _EPSILON)
    each = np.where(known, -np.where(targets == 1, np.log(clipped), np.log1p(-clipped)), 0).sum(axis=1)
    right = known & ((values > 0.5) == (targets == 1))
    areas = [
        _average_auc(
            np.stack([1 - values[rows, index], values[rows, index]], axis=1), targets[rows, index].astype(int)
        )
        for index, rows in enumerate(known.T)
        if rows.any()
    ]
    defined = [area for area in areas if np.isfinite(area)]
    return {
        "val_loss": float((each / np.maximum(known.sum(axis=1), 1)).mean()),
        "val_accuracy": float(right.sum() / max(known.sum(), 1)),
        "val_auc": float(np.mean(defined)) if defined else float("nan"),
    }


def score_probabilities(
    probabilities: NDArray[np.float32], targets: NDArray[np.integer], loss: str = "auto"
) -> dict[str, float]:
    """Score predicted probabilities.

    Args:
        probabilities: ``[n, labels]``, rows that sum to 1.
        targets: ``[n]`` indices of the true labels.
        loss: The recipe's; ``binary_crossentropy`` judges each label by itself.

    Returns:
        ``val_loss`` (cross-entropy), ``val_accuracy`` and ``val_auc``, the mean over labels of the area under the ROC
        curve of that label against the rest; NaN where no label has both sides.
    """
    values = probabilities.astype(np.float64)
    values /= values.sum(axis=1, keepdims=True)
    clipped = np.clip(values, _EPSILON, 1 - _EPSILON)
    truth = np.arange(values.shape[1]) == np.asarray(targets)[:, None]
    if loss == "binary_crossentropy":
        losses = -np.where(truth, np.log(clipped), np.log1p(-clipped)).mean(axis=1)
    else:
        losses = -np.log(clipped[truth])
    return {
        "val_loss": float(losses.mean()),
        "val_accuracy": float((values.argmax(axis=1) == targets).mean()),
        # Of what came out, as dividing by the sum would break ties by its rounding.
        "val_auc": _average_auc(probabilities, targets),
    }


def _average_auc(values: NDArray, targets: NDArray[np.integer]) -> float:
    # Start-up must not wait for SciPy's statistics.
    from scipy.stats import rankdata

    # With two labels one curve is the other one turned, so one is enough.
    labels = range(1, 2) if values.shape[1] == 2 else range(values.shape[1])
    areas = []
    for label in labels:
        positive = targets == label
        n_positive = int(positive.sum())
        n_negative = len(targets) - n_positive
        if n_positive and n_negative:
            rank_sum = rankdata(values[:, label])[positive].sum()
            areas.append((rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))
    return float(np.mean(areas)) if areas else float("nan")
