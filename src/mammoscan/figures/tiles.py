"""A grid of small captioned images, placed exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mammoscan.figures.style import DPI, PAPER, SMALL_SIZE, WIDTH, measure_header, new_figure

_GAP = 0.1


def new_tiles(
    sections: Sequence[tuple[str, int]],
    columns: int,
    title: str,
    stamp: str,
    *,
    subtitle: str = "",
    caption_lines: int = 0,
    footer: float = 0.0,
) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure with one square of axes for each image, section by section.

    Args:
        sections: For each section its heading ("" for none) and its number of images.
        columns: Images in a row.
        title: The figure's title.
        stamp: See ``style.draw_stamp``.
        subtitle: See ``style.new_figure``.
        caption_lines: Lines of text for which room is left under each image.
        footer: Inches left free at the bottom, for a legend.
    """
    margin = 0.12
    side = (WIDTH - 2 * margin - (columns - 1) * _GAP) / columns
    row_height = side + _GAP + caption_lines * 0.165
    heights = [(0.34 if heading else 0) + -(-count // columns) * row_height for heading, count in sections]
    figure = new_figure(sum(heights) + footer + 0.1, title, stamp, subtitle=subtitle, arrange=False)
    total = figure.get_size_inches()[1]
    top = measure_header(stamp, subtitle)
    grids: list[list[Axes]] = []
    for (heading, count), height in zip(sections, heights, strict=True):
        first = top
        if heading:
            figure.text(
                margin / WIDTH,
                1 - (top + 0.08) / total,
                heading,
                size=10.5,
                weight="bold",
                ha="left",
                va="top",
            )
            first += 0.34
        grid = []
        for index in range(count):
            row, column = divmod(index, columns)
            left = margin + column * (side + _GAP)
            bottom = total - first - row * row_height - side
            grid.append(figure.add_axes((left / WIDTH, bottom / total, side / WIDTH, side / total)))
        grids.append(grid)
        top += height
    return figure, grids


def show_image(axes: Axes, image: np.ndarray, caption: str = "", *, colour: str = "#1b1f24") -> None:
    """Show one image (grey ``[H, W]`` or ``[H, W, 1]``, or colour ``[H, W, 3]``) with a caption under it."""
    picture = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_facecolor(PAPER)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if caption:
        axes.text(
            0.0,
            -0.03,
            caption,
            transform=axes.transAxes,
            size=SMALL_SIZE - 1,
            color=colour,
            ha="left",
            va="top",
        )


def fit_caption(text: str, columns: int) -> str:
    """Return a text that fits under an image in a row of ``columns``, without its middle where it must be."""
    most = int((WIDTH / columns - _GAP) * DPI / 7.2)
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[: most - 1 - tail]}…{text[-tail:]}"


def pick_spread(count: int, limit: int) -> list[int]:
    """Return at most ``limit`` positions spread evenly over ``count``, the first included."""
    if count <= limit:
        return list(range(count))
    return [int(position * count / limit) for position in range(limit)]
