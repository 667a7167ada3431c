"""What an epoch shows, and in which order: drawn from the recipe's seed and the epoch's number alone.

Nothing is carried from one epoch to the next, so a resumed run needs no random state for it, and every engine and
backend sees the same images in the same order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.imaging.views import N_VIEWS, make_view

_ORDER, _VIEWS = 1, 2


def draw_order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """Return the order of one epoch: every position from 0 to ``count - 1`` once."""
    return np.random.default_rng([seed, _ORDER, epoch]).permutation(count)


def draw_views(seed: int, epoch: int, count: int) -> NDArray[np.int32]:
    """Return the view, 0 to 7, in which the image at each place of one epoch's order is shown."""
    return np.random.default_rng([seed, _VIEWS, epoch]).integers(0, N_VIEWS, count, dtype=np.int32)


def tabulate_views(height: int, width: int) -> NDArray[np.int32]:
    """Write the eight views as look-up tables.

    Args:
        height: Pixels from top to bottom.
        width: Pixels from left to right; equal to ``height``, or the views would differ in shape.

    Returns:
        ``[8, height * width]``: where each pixel of a flattened view lies in the flattened image.
    """
    if height != width:
        raise MammoscanError(
            f"views: found images of {height} x {width} pixels, expected square ones; "
            "set views.training to none and views.prediction to false"
        )
    places = np.arange(height * width, dtype=np.int32).reshape(height, width)
    return np.stack([make_view(places, k).ravel() for k in range(N_VIEWS)])
