"""Breast coordinates: places independent of the side that a scan shows and of the breast's size.

``v`` runs down the breast's extent, 0 at its uppermost edge and 1 at its lowest. ``u`` runs across the breast
at that row, 0 at the chest wall and 1 at the skin. Rows and columns may be in pixels of a larger scan:
``scale`` is mask pixels per scan pixel. As everywhere in this package they name edges, pixel ``i`` covering
``[i, i + 1)``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.imaging.breast_mask import find_side

_TRIES = 64
# Without this, a rounding error in a row computed from v would select the row above.
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
        ``(u, v)``. Outside the breast they lie outside [0, 1]. A row above or below the breast
        takes the width of the breast's nearest row.
    """
    breast = _measure_breast(mask)
    y, x = row * scale, column * scale
    index = _find_row(breast, y)
    first, last = breast.first[index], breast.last[index]
    depth = x - first if breast.wall_left else last - x
    return float(depth / (last - first)), float((y - breast.top) / (breast.bottom - breast.top))


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
    row, column = _place(_measure_breast(mask), np.array([u]), np.array([v]))[0] / scale
    return float(row), float(column)


def draw_matched_places(
    mask: NDArray[np.bool_],
    references: NDArray[np.floating],
    n: int,
    rng: np.random.Generator,
    min_distance: float = 0.0,
    scale: float = 1.0,
    jitter: float = 0.5,
) -> NDArray[np.float64]:
    """Draw places inside a breast with the distribution of reference places in other breasts.

    A smoothed bootstrap with corrected variance: a random reference plus jitter, shrunk towards the mean so that the
    spread stays that of the references. A place is drawn again until it lies in the breast and apart from the others;
    if that fails, the distance is halved.

    Args:
        mask: Bool ``[h, w]``, the breast.
        references: ``[M, 2]``, the (u, v) of the places to match.
        n: Number of places.
        rng: Random generator; the same state gives the same places.
        min_distance: Scan pixels between places, where there is room.
        scale: Mask pixels per scan pixel.
        jitter: Size of the jitter, in the references' standard deviations.

    Returns:
        ``[n, 2]``, the rows and columns in scan pixels.
    """
    within = references[((references >= 0) & (references <= 1)).all(axis=1)]
    if len(within) == 0:
        raise MammoscanError(
            f"matched places: found no reference inside a breast among {len(references)} places, "
            "expected at least one; keep an abnormal region with coordinates"
        )
    breast = _measure_breast(mask)
    mean, spread = within.mean(axis=0), within.std(axis=0)
    places = np.empty((n, 2))
    for number in range(n):
        distance = min_distance * scale
        while True:
            chosen = within[rng.integers(len(within), size=_TRIES)]
            noise = rng.normal(size=chosen.shape) * spread * jitter
            u, v = (mean + (chosen - mean + noise) / np.hypot(1, jitter)).T
            tried = _place(breast, u, v)
            if distance < 1 and not _hold(mask, tried).any():
                # No reference fits this mask: take any place on it.
                pixels = np.argwhere(mask)
                tried = 0.5 + pixels[rng.integers(len(pixels), size=_TRIES)].astype(np.float64)
            gaps = np.linalg.norm(tried[:, None] - places[None, :number], axis=2)
            good = np.flatnonzero(_hold(mask, tried) & (gaps >= distance).all(axis=1))
            if len(good):
                places[number] = tried[good[0]]
                break
            distance = distance / 2 if distance >= 1 else 0.0
    return places / scale


class _Breast(NamedTuple):
    """The edges of a breast: its top and bottom, and the first and last of each row between them."""

    top: int
    bottom: int
    first: NDArray[np.intp]
    last: NDArray[np.intp]
    wall_left: bool


def _measure_breast(mask: NDArray[np.bool_]) -> _Breast:
    rows = np.flatnonzero(mask.any(axis=1))
    if len(rows) == 0:
        raise MammoscanError("breast mask: found no breast, expected at least one pixel; reject the scan")
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    # A row inside the extent without breast borrows the row above.
    filled = rows[np.searchsorted(rows, np.arange(top, bottom), side="right") - 1]
    first = mask[filled].argmax(axis=1)
    last = mask.shape[1] - mask[filled, ::-1].argmax(axis=1)
    return _Breast(top, bottom, first, last, find_side(mask) == "left")


def _find_row(breast: _Breast, y: NDArray[np.floating] | float) -> NDArray[np.intp]:
    return np.clip(np.floor(np.asarray(y) + _SLACK).astype(int), breast.top, breast.bottom - 1) - breast.top


def _place(breast: _Breast, u: NDArray[np.floating], v: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the rows and columns ``[K, 2]`` of breast-relative places, in mask pixels."""
    y = breast.top + v * (breast.bottom - breast.top)
    index = _find_row(breast, y)
    first, last = breast.first[index], breast.last[index]
    depth = u * (last - first)
    return np.stack([y, first + depth if breast.wall_left else last - depth], axis=1)


def _hold(mask: NDArray[np.bool_], places: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which places ``[K, 2]`` lie on the mask."""
    y, x = np.floor(places).astype(int).T
    inside = (y >= 0) & (y < mask.shape[0]) & (x >= 0) & (x < mask.shape[1])
    inside[inside] = mask[y[inside], x[inside]]
    return inside
