"""Local maxima of a map, kept apart by a minimum distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pick_peaks(
    values: NDArray[np.floating],
    rows: NDArray[np.number],
    columns: NDArray[np.number],
    distance: float,
    limit: int,
) -> list[tuple[int, int]]:
    """Pick the highest places of a map, each apart from those picked before.

    Args:
        values: ``[h, w]``; NaN means no place.
        rows: ``[h]``, positions of the rows.
        columns: ``[w]``, positions of the columns in the same unit.
        distance: Minimum distance in that unit.
        limit: Maximum number of places.

    Returns:
        Indices (i, j) into ``values``, the highest first; of equal ones the upper left first.
    """
    left = np.where(np.isnan(values), -np.inf, values)
    picked: list[tuple[int, int]] = []
    while len(picked) < limit and left.size and np.isfinite(left.max()):
        i, j = (int(k) for k in np.unravel_index(left.argmax(), left.shape))
        picked.append((i, j))
        near = np.hypot(rows[:, None] - rows[i], columns[None, :] - columns[j]) < distance
        left = np.where(near, -np.inf, left)
        left[i, j] = -np.inf
    return picked
