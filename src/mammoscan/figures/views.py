"""The views of one square image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from mammoscan.figures.style import VERMILION
from mammoscan.figures.tiles import new_tiles, show_image
from mammoscan.imaging.views import N_VIEWS, make_view


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


def _name_view(k: int) -> str:
    return f"{90 * (k % 4)}°" + ("\nmirrored" if k >= 4 else "")
