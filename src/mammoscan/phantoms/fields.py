"""Strokes: thin bright curves, as ducts, vessels and spicules are on a mammogram.

Smooth random fields, drawn small and enlarged, which is what keeps a phantom quick.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter


def enlarge_field(small: np.ndarray, size: int) -> np.ndarray:
    """Return a float32 field enlarged to ``size`` x ``size`` with bicubic interpolation."""
    image = Image.fromarray(np.ascontiguousarray(small, dtype=np.float32))
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))


def draw_field(rng: np.random.Generator, cells: int, size: int) -> np.ndarray:
    """Return smooth noise of mean 0 and deviation about 1, with ``cells`` knots along an edge of ``size``."""
    return enlarge_field(rng.standard_normal((cells, cells), dtype=np.float32), size) * np.float32(1.25)


Stroke = tuple[np.ndarray, float]
"""Points of a curve as (x, y) rows, in cells of the field, and its brightness."""


def paint_strokes(shape: tuple[int, int], strokes: Iterable[Stroke], width: int, blur: float) -> np.ndarray:
    """Return a float32 field with the strokes on 0.

    Args:
        shape: Rows and columns of the field.
        strokes: The curves; later ones cover earlier ones.
        width: Width of the pen in cells.
        blur: Deviation in cells of the blur that softens them.
    """
    image = Image.new("F", (shape[1], shape[0]), 0.0)
    pen = ImageDraw.Draw(image)
    for points, brightness in strokes:
        pieces = len(points) - 1
        for k in range(pieces):
            # A fibre, unlike a bar, is thinner at both ends.
            ends = [(float(x), float(y)) for x, y in points[k : k + 2]]
            pen.line(ends, fill=float(brightness * np.sin(np.pi * (k + 0.7) / (pieces + 0.4))), width=width)
    return gaussian_filter(np.asarray(image), blur)


def bend_curve(start: np.ndarray, angle: float, length: float, bend: float, steps: int = 9) -> np.ndarray:
    """Return the points of an arc that leaves ``start`` at ``angle`` and turns by ``bend`` radians in all."""
    turns = angle + bend * np.linspace(0.0, 1.0, steps - 1)
    paces = np.stack([np.cos(turns), np.sin(turns)], axis=1) * (length / (steps - 1))
    return np.concatenate([start[None], start + np.cumsum(paces, axis=0)])
