"""Calcifications: a group of bright specks and casts."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from mammoscan.phantoms.region import Region
from mammoscan.phantoms.strokes import Stroke, paint_strokes
from mammoscan.phantoms.surround import Ring, draw_ring, place_polar
from mammoscan.phantoms.tissue import CELL

BRANCHES = 3


def draw_specks(region: Region, surround: list[Stroke], half: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a group within the radius, and more specks along the strokes around it.

    A pulled group branches and its casts run outwards; another is round, with casts along its rim. Number, size
    and brightness are each group's own and know nothing of that: they make a group easy to know again.

    Args:
        region: The group's radius and pull.
        surround: The strokes around it.
        half: Half the edge of the patch, in cells.
        rng: The region's own generator.

    Returns:
        Grey levels to add, a square of edge ``2 * half + 1``.
    """
    patch = np.zeros((2 * half + 1, 2 * half + 1), dtype=np.float32)
    spread = float(np.clip(region.radius, 5.0, 60.0)) / CELL
    branches = rng.uniform(0.0, 2.0 * np.pi) + 2.0 * np.pi / BRANCHES * np.arange(BRANCHES)
    size, peak = rng.uniform(0.6, 1.5), rng.uniform(50.0, 140.0)
    centres = []
    for _ in range(int(rng.integers(5, 24))):
        branching = rng.random() < region.pull
        angle = rng.choice(branches) + rng.normal(0.0, 0.12) if branching else rng.uniform(0.0, 2.0 * np.pi)
        centres.append(half + place_polar(angle, spread * np.sqrt(rng.random())))
    for points, _ in surround:
        if rng.random() < 0.6:
            centres += [points[k] + rng.normal(0.0, 0.8, 2) for k in rng.permutation(len(points))[:2]]
    for x, y in centres:
        column, row = round(float(x)), round(float(y))
        if 0 <= row < patch.shape[0] and 0 <= column < patch.shape[1]:
            patch[row, column] += peak * rng.uniform(0.6, 1.3) * 2.0 * np.pi * size**2
    casts = Ring(
        (8, 12), (0.5 * spread, 0.8 * spread), (0.4 * spread, 0.65 * spread), (0.6 * peak, peak), 0.0
    )
    strokes = draw_ring(casts, region.pull, half, rng)
    width = max(1, round(0.12 * spread))
    return (
        gaussian_filter(patch, size)
        + paint_strokes(patch.shape, strokes, width, 0.25 * width + 0.2)
        + _draw_bed(spread, half, rng)
    )


def _draw_bed(spread: float, half: int, rng: np.random.Generator) -> np.ndarray:
    """Return the lighter or darker tissue that a group lies in."""
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    return rng.uniform(-30.0, 45.0) * np.exp(-((np.hypot(x, y) / (1.3 * spread)) ** 4))
