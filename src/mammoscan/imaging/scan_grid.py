"""A whole scan on a small, standardised grid, from which every window is cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from mammoscan.errors import MammoscanError
from mammoscan.imaging.breast_mask import find_breast
from mammoscan.params import ScanGridParams

# One standard deviation is 32 grey levels around 128, so that a byte holds -4 to +3.97 of them.
LEVELS_PER_DEVIATION = 32
LEVEL_OF_MEAN = 128


def shrink_scan(scan: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize a square scan by averaging areas.

    Args:
        scan: uint8 ``[H, H]``.
        size: Side of the result.

    Returns:
        uint8 ``[size, size]``; each pixel is the mean of the area that it covers.
    """
    if scan.ndim != 2 or scan.shape[0] != scan.shape[1]:
        raise MammoscanError(
            f"scan: found {' x '.join(map(str, scan.shape))} pixels, expected a square grey one; pad it first"
        )
    image = Image.fromarray(np.ascontiguousarray(scan))
    return np.asarray(image.resize((size, size), Image.Resampling.BOX))


def standardise_scan(small: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Express a scan in standard deviations from the mean of its breast.

    Args:
        small: uint8 ``[h, w]``.
        mask: Bool ``[h, w]``, the breast; an empty one means the whole scan.

    Returns:
        uint8 ``[h, w]``: ``clip(round(32 z + 128), 0, 255)`` everywhere, ``z`` being the standard score over
        the mask; 128 everywhere for a breast of a single grey level.
    """
    inside = small[mask] if mask.any() else small.reshape(-1)
    counts = np.bincount(inside, minlength=256)
    levels = np.arange(256)
    mean = counts @ levels / inside.size
    deviation = np.sqrt(counts @ (levels - mean) ** 2 / inside.size)
    if deviation == 0:
        return np.full_like(small, LEVEL_OF_MEAN)
    scores = LEVELS_PER_DEVIATION * (levels - mean) / deviation + LEVEL_OF_MEAN
    return np.clip(np.rint(scores), 0, 255).astype(np.uint8)[small]


def prepare_scales(
    scan: NDArray[np.uint8], mask: NDArray[np.bool_], scales: Sequence[float]
) -> list[NDArray[np.uint8]]:
    """Standardise a scan on finer or coarser grids, from which windows of other scales are cut.

    Args:
        scan: uint8 ``[H, H]``, as published.
        mask: The breast on the grid of scale 1.
        scales: 0.5 is a grid of twice as many pixels a side, so that as many pixels show half as much.

    Returns:
        For each scale uint8 ``[h, h]``.
    """
    found = []
    for scale in scales:
        side = len(mask) / scale
        if side != int(side) or side > len(scan):
            raise MammoscanError(
                f"crop.scales: {scale:g} makes a grid of {side:g} pixels out of one of {len(mask)} (grid.size), "
                f"expected a whole number, at most the scan's {len(scan)}; change grid.size or the scale"
            )
        places = np.arange(int(side)) * len(mask) // int(side)
        found.append(standardise_scan(shrink_scan(scan, int(side)), mask[np.ix_(places, places)]))
    return found


def prepare_scan(
    scan: NDArray[np.uint8], grid: ScanGridParams
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Shrink a scan, find its breast and standardise it over that.

    Args:
        scan: uint8 ``[H, H]``, as published.
        grid: Side of the grid, and by how many of its pixels the breast is grown.

    Returns:
        The grid, uint8 ``[size, size]``, and the grown breast mask, bool ``[size, size]``.
    """
    small = shrink_scan(scan, grid.size)
    mask = find_breast(small)
    if grid.margin:
        # The skin is dimmer than any threshold that keeps the film's fog out.
        mask = ndimage.distance_transform_cdt(~mask, "chessboard") <= grid.margin if mask.any() else mask
    return standardise_scan(small, mask), mask
