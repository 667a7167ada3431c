"""Loss and accuracy over the epochs, fold by fold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mammoscan.figures.style import (
    BLUE,
    INK,
    MUTED,
    SMALL_SIZE,
    TEXT_SIZE,
    VERMILION,
    draw_nothing,
    new_figure,
    style_axes,
)
from mammoscan.records.history import History

_COLUMNS = 5


def draw_training_curves(
    histories: Mapping[Any, History], stamp: str, *, chosen_on: str = "validation"
) -> Figure:
    """Return loss and accuracy of every fold as small multiples on shared scales.

    Args:
        histories: Each fold's history, by the fold's number or name.
        stamp: See ``style.draw_stamp``.
        chosen_on: What the epoch was chosen on, ``validation`` or ``test``; it names the bold curve.
    """
    title = "Training curves"
    if not histories:
        return draw_nothing(new_figure(1.2, title, stamp), "Nothing was trained.")
    if len(histories) == 1:
        return _draw_alone(next(iter(histories.values())), stamp, title, chosen_on)
    names = list(histories)
    shown = _list_scores(histories)
    columns = min(_COLUMNS, len(names))
    blocks = -(-len(names) // columns)
    height = (3.9 if len(shown) == 2 else 2.2) * blocks + 0.3
    figure = new_figure(height, title, stamp, subtitle="The dashed line is the epoch that was kept.")
    grid = figure.subplots(len(shown) * blocks, columns, sharex=True, sharey=False, squeeze=False)
    limits = {name: _find_limits(histories, name) for name in shown}
    for place in range(blocks * columns):
        block, column = divmod(place, columns)
        for row, name in enumerate(shown):
            axes = grid[len(shown) * block + row][column]
            if place >= len(names):
                axes.set_visible(False)
                continue
            _draw_one(axes, histories[names[place]], name)
            axes.set_ylim(*limits[name])
            if column:
                axes.tick_params(labelleft=False)
            else:
                axes.set_ylabel(name.capitalize(), size=TEXT_SIZE, color=INK)
        if place < len(names):
            _title_fold(grid[len(shown) * block][column], names[place], histories[names[place]])
            grid[len(shown) * (block + 1) - 1][column].set_xlabel("Epoch", size=SMALL_SIZE, color=INK)
            grid[len(shown) * (block + 1) - 1][column].tick_params(labelbottom=True)
    _draw_legend(figure, chosen_on)
    return figure


def _draw_alone(history: History, stamp: str, title: str, chosen_on: str) -> Figure:
    """Return the two curves of a single training side by side, large."""
    shown = _list_scores({"": history})
    kept = f"Epoch {history.best_epoch} of {len(history.epochs)} was kept (dashed line)."
    figure = new_figure(3.6, title, stamp, subtitle=kept)
    for axes, name in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        _draw_one(axes, history, name)
        axes.set_ylim(*_find_limits({"": history}, name))
        axes.set_ylabel(name.capitalize(), size=TEXT_SIZE, color=INK)
        axes.set_xlabel("Epoch", size=TEXT_SIZE, color=INK)
    _draw_legend(figure, chosen_on)
    return figure


def _list_scores(histories: Mapping[Any, History]) -> tuple[str, ...]:
    """Return what is drawn: numbers have no accuracy."""
    has_accuracy = any(row.accuracy is not None for history in histories.values() for row in history.epochs)
    return ("loss", "accuracy") if has_accuracy else ("loss",)


def _draw_legend(figure: Figure, chosen_on: str) -> None:
    figure.legend(
        handles=[
            Line2D([], [], color=BLUE, linewidth=1, label="training"),
            Line2D([], [], color=VERMILION, linewidth=2.2, label=chosen_on),
            Line2D([], [], color=MUTED, linewidth=1, linestyle="--", label="epoch kept"),
        ],
        loc="outside lower center",
        ncols=3,
        fontsize=SMALL_SIZE,
        frameon=False,
    )


def _draw_one(axes: Axes, history: History, name: str) -> None:
    for key, colour, width in ((name, BLUE, 1.0), (f"val_{name}", VERMILION, 2.2)):
        epochs, values = _read_series(history, key)
        if len(epochs):
            marker = "o" if len(epochs) == 1 else None
            axes.plot(epochs, values, color=colour, linewidth=width, marker=marker, markersize=4)
    best = history.best_epoch
    if best:
        axes.axvline(best, color=MUTED, linestyle="--", linewidth=1)
    style_axes(axes)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))


def _title_fold(axes: Axes, name: Any, history: History) -> None:
    number = str(name).removeprefix("fold_")
    fold = f"Fold {int(number) + 1}" if number.isdigit() else f"{name}"
    text = f"{fold[:1].upper()}{fold[1:]}: epoch {history.best_epoch} of {len(history.epochs)}"
    axes.set_title(text, size=SMALL_SIZE, color=INK)


def _read_series(history: History, key: str) -> tuple[np.ndarray, np.ndarray]:
    points = [
        (row.epoch, value)
        for row in history.epochs
        if (value := getattr(row, key)) is not None and np.isfinite(value)
    ]
    return np.array([point[0] for point in points]), np.array([point[1] for point in points], dtype=float)


def _find_limits(histories: Mapping[Any, History], name: str) -> tuple[float, float]:
    """Return the common scale: a few wild epochs must not flatten all others."""
    parts = [_read_series(history, key)[1] for history in histories.values() for key in (name, f"val_{name}")]
    values = np.concatenate([*parts, np.zeros(0)])
    if not len(values):
        return 0.0, 1.0
    if name == "accuracy":
        return max(-0.02, float(values.min()) - 0.08), 1.03
    usual = float(np.percentile(values, 97))
    top = usual * 1.6 if values.max() > 2.5 * usual > 0 else float(values.max())
    return 0.0, 1.06 * top if top > 0 else 1.0
