"""Calcifications: a group of bright specks and casts."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from mammoscan.phantoms.region import Region
from mammoscan.phantoms.strokes import Stroke, bend_curve, paint_strokes
from mammoscan.phantoms.surround import Ring, draw_ring, place_polar
from mammoscan.phantoms.tissue import CELL

BRANCHES = 3
FORMS = ("points", "coarse", "rims", "rods", "powder")
"""What the specks of a group are: small round ones, popcorn, egg shells, rods or a fine powder."""
COUNT = {"points": (12, 20), "coarse": (5, 8), "rims": (5, 8), "rods": (12, 18), "powder": (90, 130)}
PEAK = {"points": 100.0, "coarse": 70.0, "rims": 85.0, "rods": 85.0, "powder": 55.0}


def draw_specks(region: Region, surround: list[Stroke], half: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a group within the radius, and more specks along the strokes around it.

    A pulled group branches and its casts run outwards; another is round, with casts along its rim. The form of its
    specks and the tissue it lies in know nothing of that: they make a group easy to know again.

    Args:
        region: The group's radius, pull, form and bed.
        surround: The strokes around it.
        half: Half the edge of the patch, in cells.
        rng: The region's own generator.

    Returns:
        Grey levels to add, a square of edge ``2 * half + 1``.
    """
    shape = (2 * half + 1, 2 * half + 1)
    spread = float(np.clip(region.radius, 5.0, 90.0)) / CELL
    peak = PEAK[region.form] * rng.uniform(0.85, 1.15)
    branches = rng.uniform(0.0, 2.0 * np.pi) + 2.0 * np.pi / BRANCHES * np.arange(BRANCHES)
    centres = []
    for _ in range(int(rng.integers(*COUNT[region.form]))):
        branching = rng.random() < region.pull
        angle = rng.choice(branches) + rng.normal(0.0, 0.12) if branching else rng.uniform(0.0, 2.0 * np.pi)
        centres.append(half + place_polar(angle, spread * np.sqrt(rng.random())))
    strays = [
        points[k] + rng.normal(0.0, 0.8, 2)
        for points, _ in surround
        if rng.random() < 0.6
        for k in rng.permutation(len(points))[:2]
    ]
    casts = Ring(
        count=(8, 12),
        place=(0.5 * spread, 0.8 * spread),
        length=(0.4 * spread, 0.65 * spread),
        brightness=(0.35 * peak, 0.6 * peak),
        wander=0.0,
    )
    strokes = draw_ring(casts, region.pull, half, rng)
    width = max(1, round(0.12 * spread))
    return (
        _draw_form(region.form, centres, spread, peak, shape, rng)
        + _draw_points(strays, 0.8, peak, shape)
        + paint_strokes(shape, strokes, width, 0.25 * width + 0.2)
        + _draw_bed(region, half, rng)
    )


def _draw_form(
    form: str,
    centres: list[np.ndarray],
    spread: float,
    peak: float,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the specks of a group; their size follows the group's, as far as a cell can show it."""
    if form in ("points", "powder"):
        share = 0.045 if form == "points" else 0.022
        return _draw_points(centres, max(0.55, share * spread), peak, shape)
    if form == "coarse":
        return _draw_points(centres, max(0.8, 0.1 * spread), peak, shape)
    if form == "rims":
        y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
        reach, wall = max(1.4, 0.14 * spread), max(0.7, 0.035 * spread)
        distances = [np.hypot(x - column, y - row) for column, row in centres]
        return peak * sum(np.exp(-(((distance - reach) / wall) ** 2)) for distance in distances)
    length = 0.35 * spread
    strokes = [
        (bend_curve(centre - place_polar(angle, length / 2.0), angle, length, rng.normal(0.0, 0.3)), peak)
        for centre, angle in zip(centres, rng.uniform(0.0, np.pi, len(centres)), strict=True)
    ]
    return paint_strokes(shape, strokes, max(1, round(0.07 * spread)), 0.4)


def _draw_points(centres: list[np.ndarray], size: float, peak: float, shape: tuple[int, int]) -> np.ndarray:
    """Return round specks of one size, as bright in the middle as ``peak`` says."""
    patch = np.zeros(shape, dtype=np.float32)
    for x, y in centres:
        column, row = round(float(x)), round(float(y))
        if 0 <= row < shape[0] and 0 <= column < shape[1]:
            patch[row, column] += peak * 2.0 * np.pi * size**2
    return gaussian_filter(patch, size)


def _draw_bed(region: Region, half: int, rng: np.random.Generator) -> np.ndarray:
    """Return the lighter and darker rings of tissue that a group lies in, by which it is known from any side."""
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    distance = np.hypot(x, y) / (float(np.clip(region.radius, 5.0, 130.0)) / CELL)
    rings = sum(rng.normal(0.0, 13.0) * np.cos(k * np.pi * distance) for k in range(1, 7))
    return (region.bed + 70.0 * np.tanh(rings / 70.0)) * np.exp(-((distance / 1.4) ** 4))
