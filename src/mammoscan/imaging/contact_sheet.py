"""Contact sheets: many images as one array, with rings and frames drawn on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError

Colour = tuple[int, int, int]


def tile_images(
    images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8], columns: int, gap: int = 2, background: int = 255
) -> NDArray[np.uint8]:
    """Lay images side by side, row by row.

    Args:
        images: uint8 images, each ``[H, W]``, ``[H, W, 1]`` or ``[H, W, 3]``; of unlike sizes each is centred
        in a
            cell of the largest height and width.
        columns: Images in a row.
        gap: Pixels between and around the cells.
        background: Grey level of the gaps and of empty cells.

    Returns:
        uint8 ``[H, W]`` if all images are grey, else ``[H, W, 3]``.
    """
    if len(images) == 0 or columns < 1:
        raise MammoscanError(
            f"contact sheet: found {len(images)} images in {columns} columns, expected at least one of each; "
            "check the rows that were chosen for it"
        )
    cells = [image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image for image in images]
    if any(cell.ndim == 3 for cell in cells):
        cells = [paint_colour(cell) for cell in cells]
    height = max(cell.shape[0] for cell in cells)
    width = max(cell.shape[1] for cell in cells)
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    shape = (rows * (height + gap) + gap, columns * (width + gap) + gap, *cells[0].shape[2:])
    sheet = np.full(shape, background, np.uint8)
    for index, cell in enumerate(cells):
        top = gap + index // columns * (height + gap) + (height - cell.shape[0]) // 2
        left = gap + index % columns * (width + gap) + (width - cell.shape[1]) // 2
        sheet[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
    return sheet


def paint_colour(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a copy of an image ``[H, W]``, ``[H, W, 1]`` or ``[H, W, 3]`` as ``[H, W, 3]``."""
    grey = image[:, :, None] if image.ndim == 2 else image
    return np.repeat(grey, 3, axis=2) if grey.shape[2] == 1 else grey.copy()


def mark_circle(
    image: NDArray[np.uint8],
    row: float,
    column: float,
    radius: float,
    colour: Colour = (255, 96, 0),
    width: float = 2.0,
) -> NDArray[np.uint8]:
    """Draw a ring on a copy of an image.

    Args:
        image: uint8 ``[H, W]``, ``[H, W, 1]`` or ``[H, W, 3]``.
        row: Row of the centre, in the image's pixels; it may lie outside.
        column: Column of the centre.
        radius: Radius of the ring's middle line.
        colour: Red, green, blue.
        width: Width of the line.

    Returns:
        uint8 ``[H, W, 3]``.
    """
    marked = paint_colour(image)
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    distance = np.hypot(rows + 0.5 - row, columns + 0.5 - column)
    marked[np.abs(distance - radius) <= width / 2] = colour
    return marked


def mark_outline(
    image: NDArray[np.uint8], mask: NDArray[np.bool_], colour: Colour = (0, 200, 120)
) -> NDArray[np.uint8]:
    """Draw the inner edge of a mask ``[H, W]`` on a copy of an image; returns uint8 ``[H, W, 3]``."""
    marked = paint_colour(image)
    inner = np.zeros_like(mask)
    inner[1:-1, 1:-1] = mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    marked[mask & ~inner] = colour
    return marked


def frame_image(image: NDArray[np.uint8], colour: Colour, width: int = 2) -> NDArray[np.uint8]:
    """Put a frame of ``width`` pixels around an image; returns uint8 ``[H + 2 width, W + 2 width, 3]``."""
    height, breadth = image.shape[:2]
    framed = np.empty((height + 2 * width, breadth + 2 * width, 3), np.uint8)
    framed[:] = colour
    framed[width : width + height, width : width + breadth] = paint_colour(image)
    return framed
