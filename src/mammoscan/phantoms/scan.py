"""Drawing one scan of a plan."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from mammoscan.phantoms.anatomy import SCAN, draw_place
from mammoscan.phantoms.film import expose_film
from mammoscan.phantoms.lesions import draw_lesion
from mammoscan.phantoms.plan import ScanPlan
from mammoscan.phantoms.tissue import CANVAS, CELL, draw_look, draw_tissue


def draw_scan(plan: ScanPlan, seed: int) -> np.ndarray:
    """Return the pixels of a scan, uint8, which depend on nothing but its plan and the seed."""
    # Streams of their own, so that a finding more or less leaves the tissue and the film as they are.
    rng, finding, film = (np.random.default_rng([seed, 3, plan.number, part]) for part in range(3))
    look = draw_look(np.random.default_rng([seed, 4, plan.patient]))
    canvas, body = draw_tissue(plan.breast, plan.tissue, look, rng)
    _add_innocents(canvas, plan, rng)
    for region in plan.regions:
        if region.state == "placed":
            _add_patch(
                canvas, look.gain * draw_lesion(region, finding), region.row, _unmirror(plan, region.column)
            )
        elif region.state == "spread":
            _sprinkle_specks(canvas, plan, finding)
    return expose_film(canvas, body, plan.breast, look, film)


def _unmirror(plan: ScanPlan, column: float) -> float:
    return column if plan.breast.side == "left" else SCAN - 1.0 - column


def _add_patch(canvas: np.ndarray, patch: np.ndarray, row: float, column: float) -> None:
    """Add a square patch around a place, without what reaches over the canvas."""
    half = patch.shape[0] // 2
    top, left = round(row / CELL) - half, round(column / CELL) - half
    rows = slice(max(top, 0), min(top + patch.shape[0], CANVAS))
    columns = slice(max(left, 0), min(left + patch.shape[1], CANVAS))
    canvas[rows, columns] += patch[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]


def _add_innocents(canvas: np.ndarray, plan: ScanPlan, rng: np.random.Generator) -> None:
    """Add overlapping tissue that looks like something and is nothing, as every breast has it."""
    blots = np.zeros_like(canvas)
    for _ in range(int(rng.integers(1, 5))):
        row, column = draw_place(plan.breast, rng, border=False)
        blots[min(int(row / CELL), CANVAS - 1), int(_unmirror(plan, column) / CELL)] = rng.uniform(
            9000.0, 20000.0
        )
    canvas += gaussian_filter(blots, rng.uniform(8.0, 13.0))


def _sprinkle_specks(canvas: np.ndarray, plan: ScanPlan, rng: np.random.Generator) -> None:
    """Add specks all over the breast, which have no one place to note."""
    specks = np.zeros_like(canvas)
    for _ in range(90):
        row, column = draw_place(plan.breast, rng, border=False)
        specks[min(int(row / CELL), CANVAS - 1), int(_unmirror(plan, column) / CELL)] = rng.uniform(
            400.0, 900.0
        )
    canvas += gaussian_filter(specks, 0.9)
