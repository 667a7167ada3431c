"""Slides as maps: where the patches' labels lie, and beside them where the network sees the positive label."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch

from mammoscan.figures.image_grids import pick_spread
from mammoscan.figures.style import BLUE, MUTED, SMALL_SIZE, VERMILION, draw_nothing, new_figure

PAIRS = 2
_EMPTY = "#b4b9c0"


def pick_slides(places: pd.DataFrame, limit: int) -> list[str]:
    """Return the slides that a map shows: spread evenly from the least to the largest share of the positive label.

    Args:
        places: One row per patch with ``patient_id`` and ``is_positive``.
        limit: How many at most.
    """
    shares = places.groupby("patient_id")["is_positive"].mean().sort_values(kind="stable")
    return [str(shares.index[position]) for position in pick_spread(len(shares), limit)]


def draw_probability_map(
    places: pd.DataFrame, stamp: str, *, positive: str, side: int = 50, limit: int = 6
) -> Figure:
    """Return a pair of maps for each slide: the truth, and the predicted probability, patch by patch in its place.

    Args:
        places: One row per patch: ``patient_id`` (the slide), ``x``, ``y`` (its upper left corner, to the right and
            downwards), ``is_positive`` and ``probability`` of the positive label.
        stamp: See ``style.draw_stamp``.
        positive: The label whose probability is drawn.
        side: A patch's width and height in the units of ``x`` and ``y``.
        limit: Slides shown at most, spread evenly over the share of the positive label.
    """
    title = f"Where {positive} lies, and where the network sees it"
    if places.empty:
        return draw_nothing(new_figure(1.2, title, stamp), "No patches were predicted.")
    slides = pick_slides(places, limit)
    lines = -(-len(slides) // PAIRS)
    figure = new_figure(
        2.35 * lines + 0.3,
        title,
        stamp,
        subtitle="Each square is a patch in its place on the slide, predicted by a network that was not trained on "
        "that slide's fold. Grey: no patch there, or not in the sample.",
    )
    panels = figure.subplots(lines, 2 * PAIRS, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    blend = LinearSegmentedColormap.from_list("probability", [BLUE, "#f7f2e8", VERMILION])
    shades = blend.with_extremes(bad=_EMPTY)
    truth = ListedColormap([BLUE, VERMILION]).with_extremes(bad=_EMPTY)
    for number, slide in enumerate(slides):
        row, pair = divmod(number, PAIRS)
        part = places[places["patient_id"].astype(str) == slide]
        left, right = panels[row, 2 * pair], panels[row, 2 * pair + 1]
        _show(left, _lay_out(part, "is_positive", side), truth)
        shown = _show(right, _lay_out(part, "probability", side), shades)
        left.set_title(f"{slide}: truth", size=SMALL_SIZE)
        right.set_title("predicted", size=SMALL_SIZE)
    bar = figure.colorbar(shown, ax=list(panels.flat), orientation="horizontal", fraction=0.03, aspect=50)
    bar.set_label(f"predicted probability of {positive}", size=SMALL_SIZE, color=MUTED)
    bar.ax.tick_params(labelsize=SMALL_SIZE - 1, colors=MUTED)
    figure.legend(
        handles=[
            Patch(facecolor=colour, edgecolor=MUTED, linewidth=0.5, label=name)
            for colour, name in ((VERMILION, positive), (BLUE, f"not {positive}"), (_EMPTY, "no patch"))
        ],
        loc="outside lower left",
        ncols=3,
        fontsize=SMALL_SIZE - 1,
        frameon=False,
        title="truth",
        title_fontsize=SMALL_SIZE - 1,
        alignment="left",
    )
    return figure


def _lay_out(part: pd.DataFrame, column: str, side: int) -> np.ndarray:
    """Return a slide as a grid with one cell per patch, NaN where there is none."""
    across = ((part["x"] - part["x"].min()) // side).to_numpy(dtype=int)
    down = ((part["y"] - part["y"].min()) // side).to_numpy(dtype=int)
    grid = np.full((down.max() + 1, across.max() + 1), np.nan)
    grid[down, across] = part[column].to_numpy(dtype=float)
    return grid


def _show(axes: Axes, grid: np.ndarray, colours: Colormap) -> AxesImage:
    return axes.imshow(
        np.ma.masked_invalid(grid), cmap=colours, vmin=0, vmax=1, interpolation="nearest", aspect="equal"
    )
