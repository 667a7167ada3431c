"""Segmenting the breast on a scan, and finding the side of its chest wall."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

# Size at which the breast is segmented: fine enough for its outline at a fraction of the work.
WORKING_SIZE = 192
# Below this a pixel is the black that pads the film; the commonest level above it is the film's fog.
_DARKEST_FOG = 4
_LOWEST_THRESHOLD = 10.0


def find_breast(scan: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find the breast, without film labels, tape and bright film borders.

    Args:
        scan: uint8 ``[H, W]``.

    Returns:
        Bool ``[H, W]``: the largest component that stands out of the film's fog, its holes filled; all False
        on a scan of a single grey level.
    """
    height, width = scan.shape
    factor = min(1.0, WORKING_SIZE / max(height, width))
    shape = (max(1, round(height * factor)), max(1, round(width * factor)))
    small = np.asarray(Image.fromarray(np.ascontiguousarray(scan)).resize(shape[::-1], Image.Resampling.BOX))
    mask = _find_small(small)
    if mask.shape == scan.shape:
        return mask
    return np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))


def find_side(mask: NDArray[np.bool_]) -> Literal["left", "right"]:
    """Find the side of the chest wall: there the breast's upper half reaches its full width.

    The lower half is less reliable: a large breast may leave the film at the far side, and its fold curves at the wall.

    Args:
        mask: Bool ``[H, W]``, the breast.

    Returns:
        ``left`` or ``right``; ``left`` for an empty mask.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return "left"
    upper = mask[rows[: (len(rows) + 1) // 2], columns[0] : columns[-1] + 1]
    gap_left = upper.argmax(axis=1).sum()
    gap_right = upper[:, ::-1].argmax(axis=1).sum()
    return "left" if gap_left <= gap_right else "right"


def _find_small(small: NDArray[np.uint8]) -> NDArray[np.bool_]:
    threshold = _choose_threshold(np.bincount(small.reshape(-1), minlength=256))
    bright = small > threshold
    reach = max(1, round(max(small.shape) / 64))
    opened = _grow(~_grow(~bright, reach), reach)
    labels, count = ndimage.label(opened)
    if count == 0:
        return np.zeros(small.shape, bool)
    sizes = np.bincount(labels.reshape(-1))
    sizes[0] = 0
    return ndimage.binary_fill_holes(labels == sizes.argmax())


def _grow(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    return ndimage.maximum_filter(mask, 2 * reach + 1, mode="constant")


def _choose_threshold(counts: NDArray[np.int64]) -> float:
    """Return the grey level halfway between the film's fog and Otsu's, on a scale of square roots.

    The roots even out the dark and the bright half. Otsu's level alone would lose the breast's dim rim.
    """
    roots = np.sqrt(np.arange(256))
    below = np.cumsum(counts)
    above = below[-1] - below
    mass = np.cumsum(counts * roots)
    both = (below > 0) & (above > 0)
    if not both.any():
        return 255.0
    means = np.where(both, mass / np.maximum(below, 1) - (mass[-1] - mass) / np.maximum(above, 1), 0)
    otsu = int((below * above * means**2).argmax())
    fog = min(_DARKEST_FOG, otsu) + int(counts[min(_DARKEST_FOG, otsu) : otsu + 1].argmax())
    return max(_LOWEST_THRESHOLD, ((roots[fog] + roots[otsu]) / 2) ** 2)
