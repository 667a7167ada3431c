"""Drawing a breast without any finding: skin, fat, fibroglandular tissue, ducts and the pectoral muscle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mammoscan.phantoms.anatomy import SCAN, Breast
from mammoscan.phantoms.fields import draw_field
from mammoscan.phantoms.strokes import bend_curve, paint_strokes

CANVAS = 512
"""Rows and columns of the canvas that everything but film grain and labels is drawn on."""
CELL = SCAN // CANVAS
"""Pixels of the scan along a cell of the canvas."""

DENSITY = {"F": (0.25, 14.0), "G": (0.6, 30.0), "D": (0.95, 48.0)}
"""A tissue's share of the breast that is glandular, and how much brighter than fat it is."""


@dataclass(frozen=True)
class Look:
    """What all scans of one patient have in common besides the anatomy.

    Attributes:
        fat: Grey level of fat.
        gain: Factor on all that stands out from fat.
        blur: Deviation in pixels of the scan's blur.
        grain: Deviation of the film grain.
        coarseness: Knots of the finest noise of the tissue along the canvas.
        mottle: Strength of that noise.
        ducts: Number of ducts.
        wisps: Number of short fibres that run anywhere.
    """

    fat: float
    gain: float
    blur: float
    grain: float
    coarseness: int
    mottle: float
    ducts: int
    wisps: int


def draw_look(rng: np.random.Generator) -> Look:
    """Draw how a patient's scans look."""
    return Look(
        fat=rng.uniform(62.0, 150.0),
        gain=rng.uniform(0.75, 1.25),
        blur=rng.uniform(0.6, 1.6),
        grain=rng.uniform(1.0, 3.0),
        coarseness=int(rng.integers(48, 110)),
        mottle=rng.uniform(1.0, 4.0),
        ducts=int(rng.integers(16, 36)),
        wisps=int(rng.integers(20, 70)),
    )


def draw_tissue(
    breast: Breast, tissue: str, look: Look, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a breast with its chest wall at the left edge of the film.

    Args:
        breast: The anatomy; its side is ignored here.
        tissue: ``F``, ``G`` or ``D``.
        look: The patient's appearance.
        rng: The scan's own generator.

    Returns:
        The canvas in grey levels, and a share from 0 (air) to 1 (breast) of the same shape.
    """
    row = (np.arange(CANVAS, dtype=np.float32)[:, None] + 0.5) * CELL
    depth = (np.arange(CANVAS, dtype=np.float32)[None, :] + 0.5) * CELL - (SCAN - breast.film) / 2.0
    skin = breast.outline_depth(row).astype(np.float32)
    inside = skin - depth
    body = np.clip(inside / 18.0, 0.0, 1.0) * np.clip((breast.bottom - row) / 18.0, 0.0, 1.0)
    thickness = 1.0 - 0.55 * np.exp(-np.clip(inside, 0.0, None) / 45.0)

    share, extra = DENSITY[tissue]
    centre = 0.52 * breast.reach
    reach = ((depth - centre) / (0.42 * breast.reach)) ** 2 + (
        (row - breast.nipple) / (0.36 * breast.reach)
    ) ** 2
    lumps = 0.5 * draw_field(rng, 9, CANVAS) + 0.35 * draw_field(rng, 24, CANVAS)
    # Far from the glands the power is beyond what a float32 holds.
    glands = 1.0 / (1.0 + np.exp(np.minimum(-(2.2 * share + 0.9 * lumps - 1.3 * reach) * 2.0, 80.0)))
    # The crests of folded noise are thread-like, as glandular tissue is.
    threads = 0.6 - np.abs(draw_field(rng, look.coarseness, CANVAS))
    threads += 1.1 * (0.6 - np.abs(draw_field(rng, 30, CANVAS)))
    relief = (
        extra * glands + (look.mottle + 0.2 * extra * glands) * threads + 5.0 * draw_field(rng, 5, CANVAS)
    )
    relief += _draw_ducts(breast, look, rng) * (0.5 + 0.7 * glands)
    canvas = look.fat * thickness + look.gain * relief * np.clip(inside / 60.0, 0.0, 1.0)

    muscle = np.clip((1.0 - breast.muscle_share(row, depth)) * 9.0, 0.0, 1.0).astype(np.float32)
    canvas = canvas + muscle * (0.32 * look.fat + 14.0 - 0.4 * relief)
    return canvas.astype(np.float32), body.astype(np.float32)


def _draw_ducts(breast: Breast, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Draw ducts that fan out from the nipple, and a few fibres and vessels across."""
    margin = (SCAN - breast.film) / 2.0
    nipple = np.array([margin + breast.reach - 20.0, breast.nipple]) / CELL
    strokes = []
    for angle in rng.uniform(-1.15, 1.15, look.ducts) + np.pi:
        start = nipple + rng.uniform(5.0, 60.0) * np.array([np.cos(angle), np.sin(angle)])
        length = rng.uniform(50.0, 0.8 * breast.reach / CELL)
        strokes.append((bend_curve(start, angle, length, rng.uniform(-0.9, 0.9)), rng.uniform(12.0, 34.0)))
    for _ in range(look.wisps):
        depth, row = rng.uniform(0.05, 0.9) * breast.reach, breast.nipple + rng.normal(0.0, 150.0)
        start = np.array([margin + depth, row]) / CELL
        length, bend = rng.uniform(15.0, 50.0), rng.normal(0.0, 0.7)
        strokes.append(
            (bend_curve(start, rng.uniform(0.0, 2.0 * np.pi), length, bend), rng.uniform(15.0, 45.0))
        )
    for _ in range(int(rng.integers(2, 6))):
        start = np.array([margin / CELL + rng.uniform(10.0, 120.0), rng.uniform(90.0, 430.0)])
        strokes.append((bend_curve(start, rng.uniform(-1.0, 1.0), 150.0, rng.uniform(-0.8, 0.8)), 26.0))
    return paint_strokes((CANVAS, CANVAS), strokes, 2, 1.0)
