"""Crops: a fixed window of the grid, or the article's radius-scaled crop.

Rows and columns are in pixels of the scan from the top-left corner and name edges between pixels:
pixel ``i`` covers ``[i, i + 1)``. So they scale with no half-pixel shift, and agree with Pillow's crop boxes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from mammoscan.errors import MammoscanError


def cut_window(grid: NDArray, row: float, column: float, size: int, scale: float = 1.0) -> NDArray:
    """Cut the square window around a place out of a grid.

    The window starts at ``floor(row * scale - size / 2 + 0.5)``, that is the nearest grid line, and the lower
    right one of two equally near. What lies beyond the border is 0; the window is never shifted.

    Args:
        grid: ``[h, w]`` or ``[h, w, C]``.
        row: Row of the place, in scan pixels from the top.
        column: Column of the place, in scan pixels from the left.
        size: Side of the window, in grid pixels.
        scale: Grid pixels per scan pixel (grid size / scan size).

    Returns:
        A new array ``[size, size]`` or ``[size, size, C]`` of the grid's type.
    """
    window = np.zeros((size, size, *grid.shape[2:]), grid.dtype)
    _copy_window(grid, window, row * scale, column * scale)
    return window


def cut_windows(grid: NDArray, rows: ArrayLike, columns: ArrayLike, size: int, scale: float = 1.0) -> NDArray:
    """Cut the windows around many places of one grid; see ``cut_window``.

    Args:
        grid: ``[h, w]`` or ``[h, w, C]``.
        rows: Rows of the N places, in scan pixels.
        columns: Columns of the N places, in scan pixels.
        size: Side of the windows, in grid pixels.
        scale: Grid pixels per scan pixel.

    Returns:
        ``[N, size, size]`` or ``[N, size, size, C]``.
    """
    places = np.stack([np.atleast_1d(rows), np.atleast_1d(columns)], axis=1).astype(float) * scale
    windows = np.zeros((len(places), size, size, *grid.shape[2:]), grid.dtype)
    for window, (row, column) in zip(windows, places, strict=True):
        _copy_window(grid, window, float(row), float(column))
    return windows


def cut_scales(
    grids: Sequence[NDArray], rows: ArrayLike, columns: ArrayLike, size: int, side: int
) -> NDArray:
    """Cut the windows of several scales around many places, as channels.

    Args:
        grids: For each scale ``[h, h]``; a window of ``size`` pixels shows more of a coarser one.
        rows: Rows of the N places.
        columns: Their columns.
        size: Side of the windows, in pixels of each grid.
        side: Side of the scan, in the unit of the places.

    Returns:
        ``[N, size, size, scales]``.
    """
    return np.stack([cut_windows(grid, rows, columns, size, len(grid) / side) for grid in grids], axis=-1)


def crop_radius(scan: NDArray, row: float, column: float, radius: float, size: int) -> NDArray:
    """Crop the square of a radius and resize it, pixel for pixel as the article's Pillow calls do.

    That is ``crop((column - radius, row - radius, column + radius, row + radius))``, black beyond the border,
    and ``resize((size, size))`` with the default filter, bicubic. Only the pixels of the square are read, so
    ``scan`` may be a memory map of the file.

    Args:
        scan: uint8 ``[H, W]``.
        row: Row of the centre, from the top.
        column: Column of the centre, from the left.
        radius: Half the side of the square, in scan pixels.
        size: Side of the result.

    Returns:
        uint8 ``[size, size]``.
    """
    box: Sequence[float] = (column - radius, row - radius, column + radius, row + radius)
    left, top, right, bottom = (round(edge) for edge in box)
    if right <= left or bottom <= top:
        raise MammoscanError(
            f"crop at row {row}, column {column}: found radius {radius}, expected at least 1; "
            "reject the region"
        )
    # Slicing a memory map makes another one, which costs more than reading the rows.
    scan = np.asarray(scan)
    height, width = scan.shape
    if min(left, top) >= 0 and right <= width and bottom <= height:
        square = np.ascontiguousarray(scan[top:bottom, left:right])
    else:
        square = np.zeros((bottom - top, right - left), np.uint8)
        _copy_overlap(scan, square, top, left)
    return np.asarray(Image.fromarray(square).resize((size, size)))


def _copy_window(grid: NDArray, window: NDArray, row: float, column: float) -> None:
    half = window.shape[0] / 2
    _copy_overlap(grid, window, math.floor(row - half + 0.5), math.floor(column - half + 0.5))


def _copy_overlap(source: NDArray, target: NDArray, top: int, left: int) -> None:
    """Fill ``target`` with the part of ``source`` that starts at (top, left), as far as the two overlap."""
    (height, width), (rows, columns) = source.shape[:2], target.shape[:2]
    upper, lower = max(top, 0), min(top + rows, height)
    start, end = max(left, 0), min(left + columns, width)
    if upper < lower and start < end:
        target[upper - top : lower - top, start - left : end - left] = source[upper:lower, start:end]
