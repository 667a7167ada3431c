"""The eight views of a square image: its quarter turns and their mirror images, a group of order 8.

View ``k`` is the image turned counter-clockwise by ``k % 4`` quarter turns and then, if ``k >= 4``, mirrored
left-right. Composition and inverse are computed on these indices, without pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError

N_VIEWS = 8

# Turning by 180 degrees and then mirroring left-right is mirroring top-bottom, hence the "+ 2": four of the
# article's twelve images are copies of four others.
AUTHOR_VIEWS: tuple[tuple[str, int], ...] = tuple(
    entry
    for turns in range(4)
    for entry in (
        (f"{90 * turns}_rotated", turns),
        (f"{90 * turns}_mirr_lr", 4 + turns),
        (f"{90 * turns}_mirr_tp", 4 + (turns + 2) % 4),
    )
)


def make_view(image: NDArray, k: int) -> NDArray:
    """Turn and mirror one image.

    Args:
        image: ``[H, W]`` or ``[H, W, C]``; square, so that every view has the same shape.
        k: Index of the view, 0 to 7; 0 is the image itself.

    Returns:
        View ``k`` as a view on the same memory, not a copy.
    """
    _check_view(k)
    _check_square(image.shape[:2])
    turned = np.rot90(image, k % 4)
    return turned[:, ::-1] if k >= 4 else turned


def make_views(images: NDArray) -> NDArray:
    """Make all eight views of many images.

    Args:
        images: ``[N, H, W]`` or ``[N, H, W, C]``, square.

    Returns:
        A new array ``[N, 8, H, W]`` or ``[N, 8, H, W, C]``; ``[:, k]`` holds view ``k``.
    """
    _check_square(images.shape[1:3])
    views = np.empty((images.shape[0], N_VIEWS, *images.shape[1:]), images.dtype)
    for turns in range(4):
        turned = np.rot90(images, turns, axes=(1, 2))
        views[:, turns] = turned
        views[:, 4 + turns] = turned[:, :, ::-1]
    return views


def compose_views(first: int, then: int) -> int:
    """Return the view that equals two views in a row.

    Args:
        first: Index of the view that is made first.
        then: Index of the view that is made of its result.

    Returns:
        ``k`` with ``make_view(image, k) == make_view(make_view(image, first), then)``.
    """
    _check_view(first)
    _check_view(then)
    # A turn of a mirrored image is the opposite turn before mirroring.
    turns = (first % 4 - then % 4 if first >= 4 else first % 4 + then % 4) % 4
    return turns + 4 * ((first >= 4) != (then >= 4))


def invert_view(k: int) -> int:
    """Return the inverse of view ``k``; mirrored views are their own inverse."""
    _check_view(k)
    return k if k >= 4 else -k % 4


def _check_view(k: int) -> None:
    if not 0 <= k < N_VIEWS:
        raise MammoscanError(
            f"view: found index {k}, expected 0 to {N_VIEWS - 1}; give one of the eight views"
        )


def _check_square(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or shape[0] != shape[1]:
        raise MammoscanError(
            f"view: found an image of {' x '.join(map(str, shape))} pixels, "
            "expected a square one; crop it first"
        )
