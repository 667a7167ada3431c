import numpy as np
import pytest


def _draw_mask(size=192, side="left"):
    rows, columns = np.mgrid[:size, :size] / size
    mask = (((rows - 0.5) / 0.45) ** 2 + ((columns - 0.1) / 0.6) ** 2 < 1) & (columns >= 0.1)
    return mask if side == "left" else mask[:, ::-1]


def _draw_scan(size=192, side="left", fog=6, tissue=130, seed=0):
    rng = np.random.default_rng(seed)
    mask = _draw_mask(size)
    scan = np.where(mask, rng.normal(tissue, 20, mask.shape), rng.normal(fog, 1.5, mask.shape))
    unit = size // 32
    scan[2 * unit : 5 * unit, -6 * unit : -4 * unit] = 250
    scan[10 * unit : 12 * unit, -3 * unit : -2 * unit] = 200
    scan[:, -unit:] = 255
    scan[:, : size // 10] = 0
    scan = scan.clip(0, 255).astype(np.uint8)
    return (scan, mask) if side == "left" else (scan[:, ::-1], mask[:, ::-1])


@pytest.fixture
def draw_mask():
    """Draws a half ellipse that stands on one side of the film, away from its border."""
    return _draw_mask


@pytest.fixture
def draw_scan():
    """Draws a scan with fog, a label, tape, a bright border and black padding; returns it and its breast."""
    return _draw_scan
