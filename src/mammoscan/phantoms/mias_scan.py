"""Drawing one scan of a plan.

From the canvas to a scan: grain, the film's edge, labels and tape.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from mammoscan.phantoms.breast import CANVAS, CELL, SCAN, Breast, Look, draw_look, draw_place, draw_tissue
from mammoscan.phantoms.fields import enlarge_field
from mammoscan.phantoms.lesions import draw_lesion
from mammoscan.phantoms.mias_plan import ScanPlan

LABELLED, TAPED = 0.6, 0.15
SHOULDER, BRIGHTEST = 190.0, 245.0
"""Grey levels at which film begins to saturate, and which it never exceeds."""


def expose_film(
    canvas: np.ndarray, body: np.ndarray, breast: Breast, look: Look, rng: np.random.Generator
) -> np.ndarray:
    """Return a uint8 scan of a canvas.

    Args:
        canvas: Grey levels, chest wall at the left edge of the film.
        body: Share of breast, of the same shape.
        breast: Says where the film lies, and which side the chest wall is to be at.
        look: The patient's blur and grain.
        rng: The scan's own generator.
    """
    air = rng.uniform(4.0, 14.0)
    mixed = gaussian_filter(air + (canvas - air) * body, look.blur / CELL)
    scan = _saturate(np.array(enlarge_field(mixed, SCAN)))
    scan += np.float32(look.grain) * rng.standard_normal((SCAN, SCAN), dtype=np.float32)
    if breast.side == "right":
        scan = scan[:, ::-1]
    scan = np.clip(scan, 0.0, 255.0).astype(np.uint8)
    margin = (SCAN - breast.film) // 2
    scan[:, :margin] = 0
    scan[:, SCAN - margin :] = 0
    return _stick_labels(scan, breast, margin, rng)


def _saturate(light: np.ndarray) -> np.ndarray:
    """Compress bright levels below the film's limit, so that the grain stays visible."""
    room = BRIGHTEST - SHOULDER
    return np.where(light > SHOULDER, SHOULDER + room * np.tanh((light - SHOULDER) / room), light)


def _stick_labels(scan: np.ndarray, breast: Breast, margin: int, rng: np.random.Generator) -> np.ndarray:
    """Put a bright label, and on some scans a strip of tape, into the air in front of the breast."""
    at_left = breast.side == "right"
    if rng.random() < LABELLED:
        label = np.asarray(
            _draw_label(f"{breast.side[0].upper()}\nSYN").rotate(rng.uniform(-6.0, 6.0), expand=True)
        )
        top = int(rng.integers(0, 60))
        skin = float(breast.outline_depth(np.arange(top, top + label.shape[0], dtype=float)).max())
        room = int(breast.film - skin) - 12
        if room > 40:
            label = label[:, : min(label.shape[1], room)]
            start = margin if at_left else SCAN - margin - label.shape[1]
            spot = scan[top : top + label.shape[0], start : start + label.shape[1]]
            np.maximum(spot, label, out=spot)
    if rng.random() < TAPED:
        width = int(rng.integers(6, 16))
        start = margin if at_left else SCAN - margin - width
        scan[:, start : start + width] = rng.integers(170, 245)
    return scan


def _draw_label(text: str) -> Image.Image:
    label = Image.new("L", (24, 36), 238)
    font = ImageFont.load_default_imagefont()
    ImageDraw.Draw(label).multiline_text((3, 5), text, fill=20, font=font)
    return label.resize((84, 126), Image.Resampling.BICUBIC)


def draw_scan(plan: ScanPlan, seed: int) -> np.ndarray:
    """Return the pixels of a scan, uint8, which depend on nothing but its plan and the seed."""
    # Separate random streams, so that one more lesion leaves tissue and film unchanged.
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
    """Add a square patch around a place, clipped at the border of the canvas."""
    half = patch.shape[0] // 2
    top, left = round(row / CELL) - half, round(column / CELL) - half
    rows = slice(max(top, 0), min(top + patch.shape[0], CANVAS))
    columns = slice(max(left, 0), min(left + patch.shape[1], CANVAS))
    canvas[rows, columns] += patch[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]


def _add_innocents(canvas: np.ndarray, plan: ScanPlan, rng: np.random.Generator) -> None:
    """Add overlapping tissue that mimics a lesion, as in every real breast."""
    blots = np.zeros_like(canvas)
    for _ in range(int(rng.integers(1, 5))):
        row, column = draw_place(plan.breast, rng, border=False)
        blots[min(int(row / CELL), CANVAS - 1), int(_unmirror(plan, column) / CELL)] = rng.uniform(
            9000.0, 20000.0
        )
    canvas += gaussian_filter(blots, rng.uniform(8.0, 13.0))


def _sprinkle_specks(canvas: np.ndarray, plan: ScanPlan, rng: np.random.Generator) -> None:
    """Add specks all over the breast; they have no single place to note."""
    specks = np.zeros_like(canvas)
    for _ in range(90):
        row, column = draw_place(plan.breast, rng, border=False)
        specks[min(int(row / CELL), CANVAS - 1), int(_unmirror(plan, column) / CELL)] = rng.uniform(
            400.0, 900.0
        )
    canvas += gaussian_filter(specks, 0.9)
