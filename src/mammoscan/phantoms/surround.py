"""Strokes around a centre, which either point at it or lie around it: the cue that all findings share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mammoscan.phantoms.strokes import Stroke, bend_curve


@dataclass(frozen=True)
class Ring:
    """How strokes around a centre are drawn; lengths are in cells, pairs are bounds.

    Attributes:
        count: Number of strokes.
        place: Distance of a stroke's middle from the centre.
        length: Length of a stroke.
        brightness: Brightness of a stroke.
        wander: Deviation of the centre itself.
    """

    count: tuple[int, int]
    place: tuple[float, float]
    length: tuple[float, float]
    brightness: tuple[float, float]
    wander: float


def place_polar(angle: float, distance: float) -> np.ndarray:
    """Return (x, y) of a direction and a distance."""
    return distance * np.array([np.cos(angle), np.sin(angle)])


def draw_ring(ring: Ring, pull: float, centre: float, rng: np.random.Generator) -> list[Stroke]:
    """Draw strokes around a centre; nothing but their direction depends on ``pull``.

    Args:
        ring: Their number, place, length and brightness.
        pull: Share of them that point at the centre.
        centre: Both coordinates of the centre.
        rng: Where they come from.
    """
    count = int(rng.integers(*ring.count))
    inward = rng.permutation(count) < round(pull * count)
    # Nothing in a body is quite round or quite in the middle of its circle.
    shift = centre + rng.normal(0.0, ring.wander, 2)
    axis = place_polar(rng.uniform(0.0, np.pi), 1.0)
    stretch = rng.uniform(0.0, 0.22)
    strokes = []
    for i, points_at in enumerate(inward):
        angle = 2.0 * np.pi * (i + rng.uniform(-0.3, 0.3)) / count
        distance, length = rng.uniform(*ring.place), rng.uniform(*ring.length)
        tilt = rng.normal(0.0, 0.22)
        if points_at:
            start, heading, bend = (
                place_polar(angle, distance - length / 2.0),
                angle + tilt,
                rng.normal(0.0, 0.15),
            )
        else:
            bend = length / distance
            start = place_polar(angle - bend / 2.0, distance)
            heading = angle - bend / 2.0 + np.pi / 2.0 + tilt
        points = bend_curve(start, heading, length, bend)
        points += stretch * (points @ axis)[:, None] * axis
        strokes.append((shift + points, rng.uniform(*ring.brightness)))
    return strokes
