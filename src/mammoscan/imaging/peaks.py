"""The places of a map that stand out, no two of them the same thing."""

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
    """Pick the highest places of a map, each at some distance from all that were picked before it.

    Args:
        values: ``[h, w]``; NaN where there is no place.
        rows: ``[h]`` where the map's rows lie.
        columns: ``[w]`` where its columns lie, in the same unit.
        distance: How near, in that unit, a place may not lie to a higher one.
        limit: At most so many.

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
