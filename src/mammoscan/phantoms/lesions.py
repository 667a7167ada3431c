"""Drawing the six kinds of finding.

All kinds carry the same cue, and carry it in shape alone. Around every finding lie strokes of the same number,
length, width and brightness: around a benign one most of them lie *around* the centre, as tissue that gives way;
around a malignant one most of them *point at* it, as tissue that is pulled in. The outline of a mass and the order
of a cluster's specks follow the same share. The strokes keep to about 120 pixels of the centre whatever the radius,
so that they lie within a window of 256 pixels.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from mammoscan.phantoms.fields import draw_field
from mammoscan.phantoms.region import Region
from mammoscan.phantoms.specks import draw_specks
from mammoscan.phantoms.strokes import Stroke, bend_curve, paint_strokes
from mammoscan.phantoms.surround import Ring, draw_ring, place_polar
from mammoscan.phantoms.tissue import CELL

SURROUND = Ring(
    count=(20, 30),
    place=(46.0 / CELL, 105.0 / CELL),
    length=(40.0 / CELL, 90.0 / CELL),
    brightness=(22.0, 58.0),
    wander=5.0 / CELL,
)
STROKE_WIDTH = 3

CORE = {"CALC": 0.0, "CIRC": 34.0, "SPIC": 32.0, "MISC": 26.0, "ARCH": 0.0, "ASYM": 20.0}
"""How much brighter than its surroundings the middle of a finding is."""
EDGE = {"CALC": 1.0, "CIRC": 1.2, "SPIC": 2.5, "MISC": 6.0, "ARCH": 1.0, "ASYM": 10.0}
"""Deviation in cells of the blur of a mass's edge."""


def draw_lesion(region: Region, rng: np.random.Generator) -> np.ndarray:
    """Draw a finding.

    Args:
        region: What it is.
        rng: The region's own generator.

    Returns:
        Grey levels to add, a square of odd edge in cells of the canvas, centred on the region.
    """
    core = float(np.clip(0.8 * region.radius, 14.0, 56.0)) / CELL
    half = int(max(150.0, 1.25 * region.radius) / CELL)
    shape = (2 * half + 1, 2 * half + 1)
    surround = draw_ring(SURROUND, region.pull, half, rng)
    patch = paint_strokes(shape, surround, STROKE_WIDTH, 1.3)
    if CORE[region.kind]:
        patch += CORE[region.kind] * rng.uniform(0.8, 1.2) * _draw_mass(region, core, half, rng)
    if region.kind == "SPIC":
        patch += paint_strokes(shape, _draw_spicules(core, half, rng), 1, 0.7)
    if region.kind == "CALC":
        patch += draw_specks(region, surround, half, rng)
    if region.radius > 70:
        patch += _draw_haze(region, half, rng)
    return patch


def _draw_mass(region: Region, core: float, half: int, rng: np.random.Generator) -> np.ndarray:
    """Return a mass of height 1: smooth and round without pull, lobulated with it, of the same area."""
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    turn, aspect = rng.uniform(0.0, np.pi), rng.uniform(1.0, 1.25)
    u = (x * np.cos(turn) + y * np.sin(turn)) * aspect
    v = (y * np.cos(turn) - x * np.sin(turn)) / aspect
    angle = np.arctan2(v, u)
    outline = np.ones_like(angle)
    for lobes in range(3, 8):
        outline += 0.13 * region.pull * rng.normal() * np.cos(lobes * angle + rng.uniform(0.0, 2.0 * np.pi))
    if region.kind == "ASYM":
        outline *= 1.3
    mass = gaussian_filter((np.hypot(u, v) < core * outline).astype(np.float32), EDGE[region.kind])
    if region.kind in ("MISC", "ASYM"):
        mass *= 1.0 + 0.35 * draw_field(rng, 14, 2 * half + 1)
    return mass


def _draw_spicules(core: float, half: int, rng: np.random.Generator) -> list[Stroke]:
    """Return the short fine rays that name the kind; they know nothing of the severity."""
    angles = rng.uniform(0.0, 2.0 * np.pi, int(rng.integers(10, 18)))
    return [
        (
            half
            + bend_curve(place_polar(a, 0.8 * core), a, core * rng.uniform(0.4, 0.9), rng.normal(0.0, 0.2)),
            42.0,
        )
        for a in angles
    ]


def _draw_haze(region: Region, half: int, rng: np.random.Generator) -> np.ndarray:
    """Return the faint body of a finding that is larger than the strokes around its middle."""
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    fall = np.clip(1.0 - np.hypot(x, y) / (region.radius / CELL), 0.0, 1.0)
    return np.sqrt(fall) * rng.uniform(6.0, 12.0)
