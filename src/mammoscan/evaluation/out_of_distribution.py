"""Out-of-distribution detection by two Mahalanobis distances: of an image's grey levels and of its embedding.

Each is measured under probabilistic principal components: a normal distribution with few directions of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mammoscan.evaluation.intervals import interval_share
from mammoscan.params import EvaluationParams

MAX_DIRECTIONS = 16
SAMPLES_PER_DIRECTION = 10
PARTS = 5
# Floor of the unexplained variance: its estimate from few images is too low.
MIN_REST = 0.02
LEVELS = "its grey levels"
FEATURES = "what the network sees in it"


def describe_levels(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Describe images by simple statistics of their levels.

    Args:
        pixels: uint8 ``[N, H, W, C]``.

    Returns:
        ``[N, 2 C + 3]``: mean and standard deviation of each channel, the shares of black and of white, and the mean
        difference between neighbours.
    """
    values = pixels.astype(np.float32)
    rough = np.abs(np.diff(values, axis=1)).mean(axis=(1, 2, 3)) + np.abs(np.diff(values, axis=2)).mean(
        axis=(1, 2, 3)
    )
    columns = [
        values.mean(axis=(1, 2)),
        values.std(axis=(1, 2)),
        (pixels == 0).mean(axis=(1, 2, 3))[:, None],
        (pixels == 255).mean(axis=(1, 2, 3))[:, None],
        rough[:, None] / 2,
    ]
    return np.concatenate(columns, axis=1).astype(np.float64)


def floor_levels(channels: int) -> NDArray[np.float64]:
    """Return the smallest scale of each statistic of ``describe_levels``: one grey level, half a percent."""
    return np.array([1.0] * (2 * channels) + [0.005, 0.005, 0.25])


def fit_reference(
    values: NDArray, patients: ArrayLike, share: float, floor: ArrayLike = 0.0
) -> dict[str, Any]:
    """Fit the distribution of training images and the limit of their distance.

    The limit is a quantile of cross-fitted distances, each part measured by a fit to the other patients: the distances
    of a few images from their own fit would be too small.

    Args:
        values: ``[N, D]``, one row per training image.
        patients: The patient of each, who stays in one part.
        share: Share of the images that lie within the limit.
        floor: Smallest scale of a column, one number or one per column.

    Returns:
        ``mean``, ``scale``, ``directions``, ``variances``, ``rest`` and ``limit``, all plain lists and numbers.
    """
    values = np.asarray(values, np.float64)
    parts = np.unique(np.asarray(patients).astype(str), return_inverse=True)[1] % PARTS
    distances = []
    for part in np.unique(parts):
        inside = parts == part
        others = ~inside if not inside.all() else inside
        distances.append(measure_distance(values[inside], _fit_shape(values[others], floor)))
    return _fit_shape(values, floor) | {"limit": float(np.quantile(np.concatenate(distances), share))}


def measure_distance(values: NDArray, fitted: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return each row's distance from the distribution that ``fit_reference`` fitted."""
    mean, scale, variances = (np.asarray(fitted[key]) for key in ("mean", "scale", "variances"))
    directions = np.asarray(fitted["directions"]).reshape(-1, len(mean))
    centred = (np.asarray(values, np.float64) - mean) / scale
    along = centred @ directions.T
    aside = np.maximum((centred**2).sum(axis=1) - (along**2).sum(axis=1), 0)
    return np.sqrt((along**2 / variances).sum(axis=1) + aside / fitted["rest"])


def share_per_distance(in_distribution_share: float) -> float:
    """Return the share within each of the two limits, so that both together hold ``in_distribution_share``."""
    return 1 - (1 - in_distribution_share) / 2


def _fit_shape(values: NDArray[np.float64], floor: ArrayLike) -> dict[str, Any]:
    spread = values.std(axis=0)
    # A column that is nearly constant in training would blow up any other value.
    least = 0.05 * np.median(spread[spread > 0]) if (spread > 0).any() else 1.0
    scale = np.maximum(np.maximum(spread, least), floor)
    mean = values.mean(axis=0)
    count = min(MAX_DIRECTIONS, len(values) // SAMPLES_PER_DIRECTION, values.shape[1])
    _, sizes, directions = np.linalg.svd((values - mean) / scale, full_matrices=False)
    variances = sizes**2 / len(values)
    left = values.shape[1] - count
    return {
        "mean": mean.tolist(),
        "scale": scale.tolist(),
        "directions": directions[:count].tolist(),
        "variances": np.maximum(variances[:count], MIN_REST).tolist(),
        "rest": float(max(variances[count:].sum() / left, MIN_REST)) if left else 1.0,
    }


AS_IS = "as it is"


def measure_flagged_shares(table: pd.DataFrame, evaluation: EvaluationParams) -> dict[str, dict[str, Any]]:
    """Measure the share of images that were flagged as out of distribution.

    Args:
        table: One row per image: ``patient_id``, ``shown`` (``as it is`` or how it was altered) and
            ``out_of_distribution``.
        evaluation: The interval's level.

    Returns:
        For each way of showing the share with its interval over patients, and ``samples``.
    """
    result = {}
    for shown, rows in table.groupby("shown", sort=False):
        codes, patients = pd.factorize(rows["patient_id"].astype(str), sort=True)
        flagged = np.bincount(codes, rows["out_of_distribution"].astype(float), minlength=len(patients))
        counts = np.bincount(codes, minlength=len(patients)).astype(float)
        summary = interval_share(flagged, counts, evaluation.level)
        result[str(shown)] = {**summary, "samples": len(rows)}
    return result
