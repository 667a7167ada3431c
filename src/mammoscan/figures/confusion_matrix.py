"""The confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from mammoscan.figures.style import BLUE, INK, PAPER, TEXT_SIZE, new_figure, pick_ink, style_axes


def draw_confusion_matrix(
    counts: np.ndarray | Sequence[Sequence[int]],
    labels: Sequence[str],
    stamp: str,
    *,
    title: str = "Confusion matrix",
    subtitle: str = "Percentages are of a row: of all that truly bear a label.",
) -> Figure:
    """Return the confusion matrix with counts and row percentages.

    Args:
        counts: One row a true label, one column a predicted label.
        labels: Labels in the order of rows and columns.
        stamp: See ``style.draw_stamp``.
        title: The figure's title.
        subtitle: A sentence under the title.
    """
    table = np.asarray(counts, dtype=float)
    totals = table.sum(axis=1, keepdims=True)
    shares = np.divide(table, totals, out=np.zeros_like(table), where=totals > 0)
    side = 1.15 * len(labels)
    figure = new_figure(side + 1.2, title, stamp, subtitle=subtitle, width=max(6.0, 2.6 + 1.5 * len(labels)))
    axes = figure.add_subplot()
    shades = LinearSegmentedColormap.from_list("shades", [PAPER, "#b7d7ea", BLUE])
    axes.imshow(shares, cmap=shades, vmin=0, vmax=1, aspect="auto")
    for row in range(len(labels)):
        for column in range(len(labels)):
            colour = pick_ink(shades(shares[row, column]))
            count = f"{int(table[row, column]):,}"
            share = f"{100 * shares[row, column]:.0f} %" if totals[row, 0] else "no cases"
            axes.text(
                column, row, count, size=TEXT_SIZE + 5, weight="bold", color=colour, ha="center", va="bottom"
            )
            axes.text(column, row + 0.06, share, size=TEXT_SIZE, color=colour, ha="center", va="top")
    style_axes(axes, grid=None, frame=True)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_yticks(
        range(len(labels)),
        [f"{label}\n(n = {int(total):,})" for label, total in zip(labels, totals[:, 0], strict=True)],
    )
    axes.tick_params(length=0, labelsize=TEXT_SIZE, labelcolor=INK)
    axes.set_xticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#b6bcc4", linewidth=0.8)
    axes.tick_params(which="minor", length=0)
    axes.set_xlabel("Predicted", size=TEXT_SIZE, color=INK)
    axes.set_ylabel("True", size=TEXT_SIZE, color=INK)
    return figure
