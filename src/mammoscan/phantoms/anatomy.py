"""The outline of a synthetic breast on its film: numbers only, nothing drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

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
    """Return the other breast of a patient: the same but for how she stood and a few per cent."""
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
