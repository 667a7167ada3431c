"""Resample patients, because images of one patient are not independent of each other.

A resample is a row of weights: how often each patient was drawn. Every measure is computed from such weights,
for many resamples at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

CHUNK_VALUES = 4_000_000

WeightedMeasures = Callable[[np.ndarray], dict[str, np.ndarray]]


def draw_weights(patients: int, resamples: int, seed: int, chunk: int) -> Iterator[np.ndarray]:
    """Draw patients with replacement.

    Args:
        patients: How many patients there are, and are drawn each time.
        resamples: How many times they are drawn.
        seed: Seed of the draw; the chunk's size does not change what is drawn.
        chunk: Most resamples in one array.

    Yields:
        Float weights ``[b, patients]``; each row sums to ``patients``.
    """
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        drawn = rng.integers(0, patients, size=(rows, patients)) + np.arange(rows)[:, None] * patients
        counts = np.bincount(drawn.ravel(), minlength=rows * patients)
        yield counts.reshape(rows, patients).astype(float)


def resample_measures(
    measure: WeightedMeasures, patients: int, samples: int, resamples: int, seed: int
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Compute measures on the data as they are and on resamples of their patients.

    Args:
        measure: Turns weights ``[b, patients]`` into ``[b]`` values per name; NaN where one is undefined.
        patients: Number of patients.
        samples: Number of samples, which limits how many resamples are held in memory at once.
        resamples: Number of resamples.
        seed: Seed of the draw.

    Returns:
        The values on the data, and the values on the resamples.
    """
    values = {name: float(column[0]) for name, column in measure(np.ones((1, patients))).items()}
    chunk = max(1, CHUNK_VALUES // max(samples, patients))
    parts = [measure(weights) for weights in draw_weights(patients, resamples, seed, chunk)]
    return values, {name: np.concatenate([part[name] for part in parts]) for name in values}
