"""Places in the breast, told independently of the side that a scan shows and of the breast's size.

``v`` runs down the breast's extent, 0 at its uppermost edge and 1 at its lowest. ``u`` runs across the breast
at that row, 0 at the chest wall and 1 at the skin. Rows and columns may be in pixels of a larger scan:
``scale`` is mask pixels per scan pixel. As everywhere in this package they name edges, pixel ``i`` covering
``[i, i + 1)``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.imaging.masks import find_side

_TRIES = 64
# A row computed from v may miss a whole number by a rounding error, and would then be read off the row above.
_SLACK = 1e-6


def locate_in_breast(
    mask: NDArray[np.bool_], row: float, column: float, scale: float = 1.0
) -> tuple[float, float]:
    """Express a place relative to the breast.

    Args:
        mask: Bool ``[h, w]``, the breast.
        row: Row of the place, in scan pixels from the top.
        column: Column of the place, in scan pixels from the left.
        scale: Mask pixels per scan pixel.

    Returns:
        ``(u, v)``. Both leave [0, 1] for a place outside the breast. A row that holds no breast takes the
        width of the nearest row that does.
    """
    top, bottom, first, last, wall_left = _measure_breast(mask)
    y, x = row * scale, column * scale
    v = (y - top) / (bottom - top)
    index = _find_row(y, top, bottom)
    depth = x - first[index] if wall_left else last[index] - x
    return float(depth / (last[index] - first[index])), float(v)


def place_in_breast(mask: NDArray[np.bool_], u: float, v: float, scale: float = 1.0) -> tuple[float, float]:
    """Find the row and column of a breast-relative place; the inverse of ``locate_in_breast``.

    Args:
        mask: Bool ``[h, w]``, the breast.
        u: Distance from the chest wall, as a share of the breast's width at that row.
        v: Distance from the breast's uppermost edge, as a share of its height.
        scale: Mask pixels per scan pixel.

    Returns:
        ``(row, column)`` in scan pixels.
    """
    top, bottom, first, last, wall_left = _measure_breast(mask)
    y = top + v * (bottom - top)
    index = _find_row(y, top, bottom)
    depth = u * (last[index] - first[index])
    x = first[index] + depth if wall_left else last[index] - depth
    return float(y / scale), float(x / scale)


def draw_matched_places(
    mask: NDArray[np.bool_],
    references: NDArray[np.floating],
    n: int,
    rng: np.random.Generator,
    min_distance: float = 0.0,
    scale: float = 1.0,
    jitter: float = 0.5,
) -> NDArray[np.float64]:
    """Draw places inside a breast that are distributed as reference places in other breasts are.

    Each is a reference taken at random plus a jitter, shrunk towards the references' mean so that the drawn
    places spread as widely as the references do and no wider (a smoothed bootstrap with its variance
    corrected). It is drawn again until it lies in the breast and apart from the others; where that fails, the
    distance is halved.

    Args:
        mask: Bool ``[h, w]``, the breast.
        references: ``[M, 2]``, the (u, v) of the places to be matched.
        n: How many places are drawn.
        rng: Where the randomness comes from; the same state gives the same places.
        min_distance: Scan pixels by which places are kept apart where there is room.
        scale: Mask pixels per scan pixel.
        jitter: Size of the jitter, in the references' standard deviations.

    Returns:
        ``[n, 2]``, the rows and columns in scan pixels.
    """
    if len(references) == 0:
        raise MammoscanError(
            "matched places: found no reference place, expected at least one; "
            "keep an abnormal region with coordinates"
        )
    top, bottom, first, last, wall_left = _measure_breast(mask)
    mean, spread = references.mean(axis=0), references.std(axis=0)
    places = np.empty((n, 2))
    for number in range(n):
        distance = min_distance * scale
        while True:
            chosen = references[rng.integers(len(references), size=_TRIES)]
            noise = rng.normal(size=(_TRIES, 2)) * spread * jitter
            u, v = (mean + (chosen - mean + noise) / np.hypot(1, jitter)).T
            y = top + v * (bottom - top)
            index = _find_row(y, top, bottom)
            depth = u * (last[index] - first[index])
            x = first[index] + depth if wall_left else last[index] - depth
            inside = (u >= 0) & (u < 1) & (v >= 0) & (v < 1)
            inside[inside] = mask[y[inside].astype(int), x[inside].astype(int)]
            gaps = np.hypot(y[:, None] - places[:number, 0], x[:, None] - places[:number, 1])
            good = np.flatnonzero(inside & (gaps >= distance).all(axis=1))
            if len(good):
                places[number] = y[good[0]], x[good[0]]
                break
            distance /= 2
    return places / scale


def _measure_breast(mask: NDArray[np.bool_]) -> tuple[int, int, NDArray, NDArray, bool]:
    """Return the breast's top and bottom edge, the first and last edge of each row, and where its wall lies."""
    rows = np.flatnonzero(mask.any(axis=1))
    if len(rows) == 0:
        raise MammoscanError("breast mask: found no breast, expected at least one pixel; reject the scan")
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    # Rows inside the extent without breast borrow the nearest row above.
    filled = rows[np.searchsorted(rows, np.arange(top, bottom), side="right") - 1]
    first = mask[filled].argmax(axis=1)
    last = mask.shape[1] - mask[filled, ::-1].argmax(axis=1)
    return top, bottom, first, last, find_side(mask) == "left"


def _find_row(y: NDArray[np.floating] | float, top: int, bottom: int) -> NDArray[np.intp]:
    return np.clip(np.floor(np.asarray(y) + _SLACK).astype(int) - top, 0, bottom - top - 1)
