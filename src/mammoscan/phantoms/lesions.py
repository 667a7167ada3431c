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
from mammoscan.phantoms.plan import Region
from mammoscan.phantoms.strokes import Stroke, bend_curve, paint_strokes
from mammoscan.phantoms.tissue import CELL

STROKES = (20, 30)
STROKE_LENGTH = (40.0, 90.0)
STROKE_PLACE = (46.0, 105.0)
STROKE_BRIGHTNESS = (22.0, 58.0)
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
    surround = _draw_surround(region, half, rng)
    patch = paint_strokes(shape, surround, STROKE_WIDTH, 1.3)
    if CORE[region.kind]:
        patch += CORE[region.kind] * rng.uniform(0.8, 1.2) * _draw_mass(region, core, half, rng)
    if region.kind == "SPIC":
        patch += paint_strokes(shape, _draw_spicules(core, half, rng), 1, 0.7)
    if region.kind == "CALC":
        patch += _draw_specks(region, surround, half, rng)
    if region.radius > 70:
        patch += _draw_haze(region, half, rng)
    return patch


def _polar(angle: float, distance: float) -> np.ndarray:
    return distance * np.array([np.cos(angle), np.sin(angle)])


def _draw_surround(region: Region, half: int, rng: np.random.Generator) -> list[Stroke]:
    """Return the strokes around the centre; only their direction depends on ``region.pull``."""
    count = int(rng.integers(*STROKES))
    inward = rng.permutation(count) < round(region.pull * count)
    # Nothing in a body is quite round or quite in the middle of its circle.
    shift, turn, stretch = (
        half + rng.normal(0.0, 5.0 / CELL, 2),
        rng.uniform(0.0, np.pi),
        rng.uniform(1.0, 1.22),
    )
    axis = np.array([np.cos(turn), np.sin(turn)])
    strokes = []
    for i, points_at in enumerate(inward):
        angle = 2.0 * np.pi * (i + rng.uniform(-0.3, 0.3)) / count
        distance, length = rng.uniform(*STROKE_PLACE) / CELL, rng.uniform(*STROKE_LENGTH) / CELL
        tilt = rng.normal(0.0, 0.22)
        if points_at:
            start, heading, bend = _polar(angle, distance - length / 2.0), angle + tilt, rng.normal(0.0, 0.15)
        else:
            bend = length / distance
            start = _polar(angle - bend / 2.0, distance)
            heading = angle - bend / 2.0 + np.pi / 2.0 + tilt
        points = bend_curve(start, heading, length, bend)
        points += (stretch - 1.0) * (points @ axis)[:, None] * axis
        strokes.append((shift + points, rng.uniform(*STROKE_BRIGHTNESS)))
    return strokes


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
            half + bend_curve(_polar(a, 0.8 * core), a, core * rng.uniform(0.4, 0.9), rng.normal(0.0, 0.2)),
            42.0,
        )
        for a in angles
    ]


def _draw_specks(region: Region, surround: list[Stroke], half: int, rng: np.random.Generator) -> np.ndarray:
    """Return bright specks: a group within the radius, and more of them along the strokes."""
    patch = np.zeros((2 * half + 1, 2 * half + 1), dtype=np.float32)
    spread = float(np.clip(region.radius, 6.0, 60.0)) / CELL
    centres = [
        half + _polar(rng.uniform(0.0, 2.0 * np.pi), spread * np.sqrt(rng.random())) for _ in range(12)
    ]
    for points, _ in surround:
        if rng.random() < 0.6:
            centres += [points[k] + rng.normal(0.0, 0.8, 2) for k in rng.permutation(len(points))[:2]]
    for x, y in centres:
        column, row = round(float(x)), round(float(y))
        if 0 <= row < patch.shape[0] and 0 <= column < patch.shape[1]:
            patch[row, column] += rng.uniform(300.0, 900.0)
    return gaussian_filter(patch, 0.9)


def _draw_haze(region: Region, half: int, rng: np.random.Generator) -> np.ndarray:
    """Return the faint body of a finding that is larger than the strokes around its middle."""
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    fall = np.clip(1.0 - np.hypot(x, y) / (region.radius / CELL), 0.0, 1.0)
    return np.sqrt(fall) * rng.uniform(6.0, 12.0)
