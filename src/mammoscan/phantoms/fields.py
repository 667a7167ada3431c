"""Smooth random fields, drawn small and enlarged, which is what keeps a phantom quick."""

from __future__ import annotations

import numpy as np
from PIL import Image


def enlarge_field(small: np.ndarray, size: int) -> np.ndarray:
    """Return a float32 field enlarged to ``size`` x ``size`` with bicubic interpolation."""
    image = Image.fromarray(np.ascontiguousarray(small, dtype=np.float32))
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))


def draw_field(rng: np.random.Generator, cells: int, size: int) -> np.ndarray:
    """Return smooth noise of mean 0 and deviation about 1, with ``cells`` knots along an edge of ``size``."""
    return enlarge_field(rng.standard_normal((cells, cells), dtype=np.float32), size) * np.float32(1.25)
