"""What all figures share: palette, sizes, the frame with its title, and the stamp."""

from __future__ import annotations

import textwrap
from io import BytesIO
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

PHANTOM_STAMP = "PHANTOM: synthetic images, not patients"
MODIFIED_STAMP = "MODIFIED: not the published images"
# By the kind of a data set: what every figure of it bears.
STAMPS = {"phantom": PHANTOM_STAMP, "modified": MODIFIED_STAMP}
NOTICE = "Research use. Not a medical device."

WIDTH = 9.0
DPI = 100

# Okabe and Ito's colours, told apart by all common kinds of colour vision.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
INK, MUTED, GRID, PAPER = "#1b1f24", "#57606a", "#e3e6ea", "#ffffff"
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)

MODEL_NAMES = {
    "cnn": "Network",
    "texture": "Texture baseline",
    "metadata": "Metadata-only baseline",
    "majority": "Majority baseline",
    "mean": "Mean of the training images",
}
MODEL_COLOURS = {"cnn": BLUE, "texture": GREEN, "metadata": ORANGE, "majority": MUTED, "mean": MUTED}
MODEL_LINES = {"cnn": "-", "texture": "--", "metadata": "-.", "majority": ":", "mean": ":"}

TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 13, 10.5, 9

_TITLE_INCHES, _LINE_INCHES, _STAMP_INCHES, _PAD_INCHES = 0.42, 0.22, 0.34, 0.12


def name_model(model: str) -> str:
    """Return the name of a model for a reader; an unknown one keeps its own."""
    return MODEL_NAMES.get(model, model)


def draw_stamp(figure: Figure, stamp: str, top: float) -> None:
    """Write the stamp on a figure, or nothing when it is empty.

    Args:
        figure: The figure.
        stamp: "" or a warning such as ``PHANTOM_STAMP``.
        top: Where the stamp's upper edge lies, in inches below the figure's upper edge.
    """
    if not stamp:
        return
    width, height = figure.get_size_inches()
    figure.text(
        _PAD_INCHES / width + 0.05 / width,
        1 - (top + 0.05) / height,
        stamp,
        size=SMALL_SIZE,
        weight="bold",
        color="#7a2e00",
        ha="left",
        va="top",
        gid="stamp",
        bbox={"boxstyle": "round,pad=0.3", "facecolor": "#fff1e5", "edgecolor": VERMILION, "linewidth": 0.8},
    )


def measure_header(stamp: str, subtitle: str = "", width: float = WIDTH) -> float:
    """Return how many inches the title, the subtitle's lines and the stamp take at a figure's top."""
    lines = len(_wrap_subtitle(subtitle, width))
    return _TITLE_INCHES + lines * _LINE_INCHES + (_STAMP_INCHES if stamp else 0) + 0.06


def new_figure(
    height: float, title: str, stamp: str, *, subtitle: str = "", width: float = WIDTH, arrange: bool = True
) -> Figure:
    """Return an empty figure with its title, subtitle and stamp.

    Args:
        height: Inches for the content, below the header.
        title: What the figure shows.
        stamp: "" or the warning that every figure of synthetic data bears.
        subtitle: One or two plain sentences under the title.
        width: Inches over all; ``WIDTH`` is a report's column at one pixel a dot.
        arrange: Whether matplotlib arranges the axes below the header; otherwise the caller places them.
    """
    header = measure_header(stamp, subtitle, width)
    total = height + header
    figure = Figure(
        figsize=(width, total), dpi=DPI, facecolor=PAPER, layout="constrained" if arrange else None
    )
    left = _PAD_INCHES / width
    figure.text(
        left,
        1 - 0.1 / total,
        title,
        size=TITLE_SIZE,
        weight="bold",
        color=INK,
        ha="left",
        va="top",
        gid="title",
    )
    lines = _wrap_subtitle(subtitle, width)
    for number, line in enumerate(lines):
        figure.text(
            left,
            1 - (_TITLE_INCHES + number * _LINE_INCHES) / total,
            line,
            size=SMALL_SIZE + 0.5,
            color=MUTED,
            ha="left",
            va="top",
        )
    draw_stamp(figure, stamp, _TITLE_INCHES + len(lines) * _LINE_INCHES)
    engine: Any = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, 0, 1, 1 - header / total), w_pad=0.1, h_pad=0.08)
    return figure


def style_axes(axes: Axes, *, grid: str | None = "both", frame: bool = False) -> None:
    """Give axes small ticks and a faint grid behind; no box without ``frame``."""
    axes.tick_params(labelsize=SMALL_SIZE, colors=MUTED, length=3, color=GRID)
    for side, spine in axes.spines.items():
        spine.set_color("#b6bcc4")
        spine.set_visible(frame or side in ("left", "bottom"))
    axes.set_axisbelow(True)
    if grid:
        axes.grid(True, axis=grid, color=GRID, linewidth=0.8)  # type: ignore[arg-type]
    axes.xaxis.label.set(size=TEXT_SIZE, color=INK)
    axes.yaxis.label.set(size=TEXT_SIZE, color=INK)
    axes.title.set(size=TEXT_SIZE, color=INK)


def pick_ink(ground: tuple[float, float, float, float]) -> str:
    """Return black or white, whichever can be read better on a colour; its contrast is 4.5 or more."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in ground[:3]]
    luminance = 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    return PAPER if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 else "#000000"


def draw_nothing(figure: Figure, text: str) -> Figure:
    """Write on an otherwise empty figure why there is nothing to draw, and return it."""
    axes = figure.add_subplot()
    axes.axis("off")
    axes.text(
        0.5,
        0.5,
        textwrap.fill(text, 80),
        size=TEXT_SIZE,
        color=MUTED,
        ha="center",
        va="center",
        transform=axes.transAxes,
    )
    return figure


def render_png(figure: Figure, dpi: int = 150) -> bytes:
    """Return a figure as PNG bytes."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def _wrap_subtitle(subtitle: str, width: float) -> list[str]:
    return textwrap.wrap(subtitle, int(width * 13.5)) if subtitle else []
