"""A synthetic stand-in for the IDC patches: slides with a tumour in one piece, cut into 50 x 50 pixels."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mammoscan.params import PhantomParams
from mammoscan.phantoms.histology import Look, Stain, develop_slide, draw_smooth, draw_stain, paint_tissue

GENERATOR = 1
"""Version of the drawing; raise it with any change of the pixels, so that older files are drawn anew."""

SIDE = 50
ROOT = "IDC_regular_ps50_idx5"
# Height and width of the smallest and the largest slide, in patches.
SMALLEST, LARGEST = 9, 15
# A patch belongs to the tumour if the outline covers this share of it.
COVERED = 0.5


@dataclass(frozen=True)
class Slide:
    """One painted slide: its colours, and the masks of bare glass and of the outlined tumour."""

    picture: np.ndarray
    tissue: np.ndarray
    outline: np.ndarray


def write_phantom(
    folder: Path, params: PhantomParams, progress: Callable[[int, int], None] | None = None
) -> None:
    """Write a phantom of the IDC patches in the published tree.

    One slide a patient, each with a tumour in one or two pieces on part of its tissue; the outline follows it coarsely,
    as a hand would. As in the published set the share of tumour differs from slide to slide, one patient has hardly
    any, empty glass is left out and the patches at a slide's lower and right border may be smaller. The files depend
    on ``patients`` and ``seed`` alone.

    Args:
        folder: Where to write; made if missing.
        params: Size, seed and number of threads.
        progress: Called with the slides done and the slides in all.
    """
    numbers = np.random.default_rng([params.seed, 1]).choice(
        np.arange(8863, 16900), params.patients, replace=False
    )

    def write(patient: int) -> None:
        _write_patches(folder / ROOT, str(numbers[patient]), draw_slide(patient, params.seed))

    with ThreadPoolExecutor(params.workers) as pool:
        for done, _ in enumerate(pool.map(write, range(params.patients)), 1):
            if progress:
                progress(done, params.patients)


def draw_slide(patient: int, seed: int) -> Slide:
    """Draw one patient's slide."""
    rng = np.random.default_rng([seed, 2, patient])
    # A slide's height and width are no multiple of the patch, so the last row and column may be cut.
    height, width = (rng.integers(SMALLEST, LARGEST, 2) * SIDE + rng.integers(0, SIDE, 2)).tolist()
    shape = (height, width)
    tissue = _draw_blob(rng, shape, share=rng.uniform(0.6, 0.85), knots=5)
    # The second patient has hardly any tumour.
    share = 0.03 if patient == 1 else rng.uniform(0.18, 0.45)
    tumour = _draw_blob(rng, shape, share, knots=4) & tissue
    stain = draw_stain(rng)
    picture = _paint_slide(rng, shape, stain, tissue, tumour)
    # The outline was drawn by hand and is off by some tens of pixels.
    slip = rng.integers(-18, 19, 2)
    return Slide(picture, tissue, np.roll(tumour, slip, axis=(0, 1)))


def _paint_slide(
    rng: np.random.Generator, shape: tuple[int, int], stain: Stain, tissue: np.ndarray, tumour: np.ndarray
) -> np.ndarray:
    """Paint ordered tissue, and disordered crowded tissue in the tumour; both vary between cases."""
    signs = rng.normal(0, 1, 6)
    radius = 2.3 * np.exp(0.1 * signs[0])
    calm = Look(
        2.2 * np.exp(0.35 * signs[1]), radius, 0.25, float(np.clip(0.6 + 0.15 * signs[2], 0.2, 0.9)), 0.5
    )
    wild = Look(
        5.0 * np.exp(0.35 * signs[3]),
        radius * 1.2 * np.exp(0.08 * signs[4]),
        0.6,
        float(np.clip(0.2 + 0.1 * signs[5], 0.05, 0.5)),
        0.3,
    )
    layers = [
        paint_tissue(rng, shape, look, place) for look, place in ((calm, tissue & ~tumour), (wild, tumour))
    ]
    haematoxylin = np.maximum(layers[0][0], layers[1][0])
    eosin = np.where(tissue, layers[0][1], 0.02) * np.where(tumour, rng.uniform(0.8, 1.0), 1)
    return develop_slide(rng, haematoxylin * tissue, eosin, stain)


def _draw_blob(rng: np.random.Generator, shape: tuple[int, int], share: float, knots: int) -> np.ndarray:
    """Draw a region of about the given share, mostly in one piece: a smooth field's highest part."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    centre = rng.uniform(0.3, 0.7, 2)
    away = np.hypot(rows / shape[0] - centre[0], columns / shape[1] - centre[1])
    field = draw_smooth(rng, shape, (knots, knots)) * 0.5 - 4 * away
    return field > np.quantile(field[::7, ::7], 1 - share)


def _write_patches(root: Path, number: str, slide: Slide) -> None:
    folders = [root / number / label for label in "01"]
    for place in folders:
        place.mkdir(parents=True, exist_ok=True)
    for top in range(0, slide.picture.shape[0], SIDE):
        for left in range(0, slide.picture.shape[1], SIDE):
            here = np.s_[top : top + SIDE, left : left + SIDE]
            patch = slide.picture[here]
            # Slivers and bare glass are not in the published set either.
            if min(patch.shape[:2]) < 12 or slide.tissue[here].mean() < 0.4:
                continue
            label = int(slide.outline[here].mean() >= COVERED)
            name = f"{number}_idx5_x{left + 1}_y{top + 1}_class{label}.png"
            Image.fromarray(patch).save(folders[label] / name, compress_level=1)
