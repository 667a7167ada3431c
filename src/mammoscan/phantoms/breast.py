"""Drawing a breast without lesions: skin, fat, fibroglandular tissue, ducts and the pectoral muscle.

The outline of a synthetic breast on its film: numbers only, nothing drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mammoscan.phantoms.fields import bend_curve, draw_field, paint_strokes

SCAN = 1024
"""Rows and columns of a scan."""


@dataclass(frozen=True)
class Breast:
    """One breast on one film, in pixels; depth is counted from the chest wall towards the nipple.

    Attributes:
        side: Side of the image at which the chest wall lies, ``left`` or ``right``.
        film: Width of the film, which stands in the middle of the scan.
        reach: Depth of the nipple.
        nipple: Row of the nipple.
        bottom: Row at which the outline meets the chest wall again; may lie below the scan.
        armpit: Depth of the outline at the upper edge, as a share of ``reach``.
        muscle_depth: Width of the pectoral muscle at the upper edge.
        muscle_height: Row down to which the muscle comes at the chest wall.
        wave: Phase of a slight waviness of the outline.
    """

    side: str
    film: int
    reach: float
    nipple: float
    bottom: float
    armpit: float
    muscle_depth: float
    muscle_height: float
    wave: float

    def outline_depth(self, row: np.ndarray) -> np.ndarray:
        """Return the depth of the skin at ``row``; 0 where there is no breast."""
        above = np.clip((self.nipple - row) / self.nipple, 0.0, 1.0)
        below = np.clip((row - self.nipple) / (self.bottom - self.nipple), 0.0, 1.0)
        upper = self.armpit + (1.0 - self.armpit) * np.cos(above * np.pi / 2.0) ** 1.3
        lower = np.sqrt(np.clip(1.0 - below**2.2, 0.0, 1.0))
        waviness = 1.0 + 0.015 * np.sin(row / 70.0 + self.wave)
        return self.reach * np.where(row < self.nipple, upper, lower) * waviness

    def muscle_share(self, row: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Return where a point lies between chest wall corner (0) and the muscle's edge (1) and beyond."""
        return depth / self.muscle_depth + (row / self.muscle_height) ** 1.15

    def to_column(self, depth: float) -> float:
        """Return the column of a depth."""
        margin = (SCAN - self.film) / 2.0
        return margin + depth if self.side == "left" else SCAN - 1.0 - margin - depth


def draw_breast(rng: np.random.Generator, side: str) -> Breast:
    """Draw a breast with its chest wall at ``side``.

    Args:
        rng: The patient's own generator.
        side: ``left`` or ``right``.
    """
    film = int(rng.integers(540, 880))
    reach = film * rng.uniform(0.72, 0.92)
    nipple = rng.uniform(500.0, 640.0)
    return Breast(
        side=side,
        film=film,
        reach=reach,
        nipple=nipple,
        bottom=nipple + rng.uniform(330.0, 480.0),
        armpit=rng.uniform(0.38, 0.72),
        muscle_depth=reach * rng.uniform(0.35, 0.62),
        muscle_height=rng.uniform(380.0, 680.0),
        wave=rng.uniform(0.0, 2.0 * np.pi),
    )


def mirror_breast(breast: Breast, rng: np.random.Generator) -> Breast:
    """Return the other breast of a patient, which differs by its position and a few per cent."""
    return replace(
        breast,
        side="left" if breast.side == "right" else "right",
        reach=min(breast.reach * rng.uniform(0.94, 1.06), breast.film * 0.95),
        nipple=breast.nipple + rng.uniform(-35.0, 35.0),
        bottom=breast.bottom + rng.uniform(-30.0, 30.0),
        muscle_depth=breast.muscle_depth * rng.uniform(0.8, 1.2),
        muscle_height=breast.muscle_height * rng.uniform(0.85, 1.15),
        wave=rng.uniform(0.0, 2.0 * np.pi),
    )


def draw_place(breast: Breast, rng: np.random.Generator, border: bool) -> tuple[float, float]:
    """Draw a place for a region.

    Args:
        breast: The breast that it lies in.
        rng: Where the place comes from.
        border: Whether it lies at the skin or at the chest wall instead of well inside.

    Returns:
        Row and column in the scan, origin top-left.
    """
    for _ in range(100):
        row = rng.uniform(breast.nipple - 230.0, min(breast.nipple + 250.0, SCAN - 90.0))
        skin = float(breast.outline_depth(np.asarray(row)))
        if border:
            depth = rng.choice([rng.uniform(5.0, 30.0), skin - rng.uniform(5.0, 30.0)])
        else:
            depth = rng.uniform(min(95.0, 0.35 * skin), max(skin - 95.0, 0.6 * skin))
        if skin > 180.0 and (border or breast.muscle_share(np.asarray(row), np.asarray(depth)) > 1.15):
            break
    return row, breast.to_column(depth)


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
    # Far from the glands the power underflows a float32.
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
