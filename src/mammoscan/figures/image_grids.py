"""Grids of small captioned images: samples by label, the views of one image."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mammoscan.figures.style import (
    DPI,
    PAPER,
    SMALL_SIZE,
    VERMILION,
    WIDTH,
    draw_nothing,
    measure_header,
    new_figure,
)
from mammoscan.imaging.views import N_VIEWS, make_view

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
    width: float = WIDTH,
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
        width: Inches over all.
    """
    margin = 0.12
    side = (width - 2 * margin - (columns - 1) * _GAP) / columns
    row_height = side + _GAP + caption_lines * 0.165
    heights = [(0.34 if heading else 0) + -(-count // columns) * row_height for heading, count in sections]
    figure = new_figure(
        sum(heights) + footer + 0.1, title, stamp, subtitle=subtitle, width=width, arrange=False
    )
    total = figure.get_size_inches()[1]
    top = measure_header(stamp, subtitle, width)
    grids: list[list[Axes]] = []
    for (heading, count), height in zip(sections, heights, strict=True):
        first = top
        if heading:
            figure.text(
                margin / width,
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
            grid.append(figure.add_axes((left / width, bottom / total, side / width, side / total)))
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


def wrap_caption(text: str, columns: int, width: float = WIDTH) -> str:
    """Return a text in lines that fit under an image in a row of ``columns``; nothing of it is cut off."""
    longest = int((width / columns - _GAP) * DPI / 7.2)
    lines = [
        part
        for line in text.split("\n")
        for part in textwrap.wrap(line, longest, break_on_hyphens=True, break_long_words=True) or [""]
    ]
    return "\n".join(lines)


def pick_spread(count: int, limit: int) -> list[int]:
    """Return at most ``limit`` positions spread evenly over ``count``, the first included."""
    if count <= limit:
        return list(range(count))
    return [int(position * count / limit) for position in range(limit)]


def draw_sample_sheet(
    pixels: np.ndarray,
    samples: pd.DataFrame,
    stamp: str,
    *,
    rows: np.ndarray | None = None,
    limit: int = 20,
    columns: int = 10,
) -> Figure:
    """Return samples as the network sees them, one block a label, one image a region while they last.

    Args:
        pixels: ``uint8 [N, H, W, C]``.
        samples: The samples table, in the same order.
        stamp: See ``style.draw_stamp``.
        rows: The rows that may be shown; None means all.
        limit: At most so many images a label, spread evenly over its regions.
        columns: Images in a row.
    """
    title = "Samples as the network sees them"
    if samples.empty:
        return draw_nothing(new_figure(1.2, title, stamp), "No samples.")
    table = samples.assign(position=np.arange(len(samples)))
    if rows is not None:
        table = table.iloc[rows]
    table = table.sort_values("target", kind="stable")
    blocks: list[tuple[str, list[int], list[str]]] = []
    for label, found in table.groupby("label", sort=False):
        shown = found.drop_duplicates("region_id")
        shown = shown.iloc[pick_spread(len(shown), limit)]
        heading = (
            f"{label}: {len(shown)} of {len(found):,} images, {found['patient_id'].nunique():,} patients"
        )
        # Under its own heading a label is no caption.
        captions = [
            "" if group == label else wrap_caption(group.replace("_", " "), columns)
            for group in shown["group"].astype(str)
        ]
        blocks.append((heading, shown["position"].tolist(), captions))
    figure, grids = new_tiles(
        [(heading, len(positions)) for heading, positions, _ in blocks],
        columns,
        title,
        stamp,
        caption_lines=max(
            caption.count("\n") + bool(caption) for _, _, captions in blocks for caption in captions
        ),
        subtitle=f"{pixels.shape[1]} × {pixels.shape[2]} pixels each.",
    )
    for grid, (_, positions, groups) in zip(grids, blocks, strict=True):
        for axes, position, group in zip(grid, positions, groups, strict=True):
            show_image(axes, np.asarray(pixels[position]), group)
    return figure


def draw_views(image: np.ndarray, stamp: str, views: Sequence[tuple[str, int]] | None = None) -> Figure:
    """Return the views of an image, each under its name, repeats framed and named.

    Args:
        image: ``uint8 [H, W]`` or ``[H, W, C]``.
        stamp: See ``style.draw_stamp``.
        views: Names with view numbers, e.g. ``AUTHOR_VIEWS``; the eight distinct ones when not given.
    """
    listed = list(views) if views is not None else [(_name_view(k), k) for k in range(N_VIEWS)]
    distinct = len({k for _, k in listed})
    repeats = len(listed) - distinct
    figure, (grid,) = new_tiles(
        [("", len(listed))],
        6 if repeats else 4 if len(listed) <= 4 else 8,
        "The views of one image",
        stamp,
        caption_lines=2,
        subtitle=(
            f"{len(listed)} images, of which {distinct} are distinct; the {repeats} framed repeat another."
            if repeats
            else f"{len(listed)} views, all distinct."
        ),
    )
    first: dict[int, str] = {}
    for axes, (name, k) in zip(grid, listed, strict=True):
        caption = name if k not in first else f"{name}\n= {first[k]}"
        show_image(axes, make_view(image, k), caption, colour="#9a4400" if k in first else "#1b1f24")
        if k in first:
            for spine in axes.spines.values():
                spine.set(visible=True, color=VERMILION, linewidth=2.5)
        first.setdefault(k, name)
    return figure


def draw_augmented(pixels: np.ndarray, augmented: np.ndarray, stamp: str, changes: str) -> Figure:
    """Return training images as they are, and under each how the network saw it in one epoch.

    Args:
        pixels: ``uint8 [n, H, W, C]``.
        augmented: The same images, changed.
        stamp: See ``style.draw_stamp``.
        changes: What was changed at random, e.g. ``turned by up to 90°, mirrored``.
    """
    title = "Training images, augmented"
    if len(pixels) == 0 or not changes:
        return draw_nothing(new_figure(1.2, title, stamp), "No image is changed in training.")
    figure, grids = new_tiles(
        [("As they are", len(pixels)), ("As shown in the first epoch", len(pixels))],
        len(pixels),
        title,
        stamp,
        subtitle=f"At random, anew in each epoch: {changes}.",
    )
    for grid, images in zip(grids, (pixels, augmented), strict=True):
        for axes, image in zip(grid, images, strict=True):
            show_image(axes, np.asarray(image))
    return figure


def _name_view(k: int) -> str:
    return f"{90 * (k % 4)}°" + ("\nmirrored" if k >= 4 else "")
