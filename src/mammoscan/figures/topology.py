"""A network's topology with output shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from mammoscan.figures.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    SMALL_SIZE,
    TEXT_SIZE,
    draw_nothing,
    new_figure,
)

_KINDS = (
    ("conv", BLUE),
    ("pool", GREEN),
    ("dense", ORANGE),
    ("dropout", PURPLE),
    ("norm", PURPLE),
    ("backbone", BLUE),
    ("branches", BLUE),
    ("target", GREEN),
)
MAX_LAYERS = 40
_PITCH = 0.46


def draw_topology(
    layers: Sequence[Mapping[str, Any]], stamp: str, *, title: str = "The network", labels: Sequence[str] = ()
) -> Figure:
    """Return the layers as boxes from input to target, with output shapes and parameters; a backbone is one box.

    Args:
        layers: For each layer ``name``, ``type``, ``output_shape`` and ``parameters``, in order, and ``part`` where
            there is a backbone.
        stamp: See ``style.draw_stamp``.
        title: The figure's title.
        labels: What the outputs stand for; they are the last box.
    """
    if not layers:
        return draw_nothing(new_figure(1.2, title, stamp), "No layers.")
    total = sum(int(layer["parameters"]) for layer in layers)
    rows = _shorten_layers(_fold_branches(list(layers)))
    if labels:
        rows.append({"type": "Target", "name": "", "output_shape": " or ".join(labels), "parameters": 0})
    figure = new_figure(
        _PITCH * (len(rows) + 1) + 0.1,
        title,
        stamp,
        subtitle=f"{len(layers)} layers, {total:,} parameters; the bars are each box's share of them.",
    )
    axes = figure.add_subplot()
    axes.axis("off")
    axes.set_xlim(0, 10)
    axes.set_ylim(len(rows) + 0.1, -0.75)
    for x, text, align in (
        (0.1, "Layer", "left"),
        (4.3, "Output shape", "left"),
        (7.6, "Parameters", "right"),
    ):
        axes.text(x, -0.5, text, size=SMALL_SIZE, color=MUTED, ha=align, va="center")
    for place, layer in enumerate(rows):
        _draw_layer(axes, place, layer, total)
        if place:
            axes.annotate(
                "",
                xy=(2.0, place + 0.02),
                xytext=(2.0, place - 0.24),
                arrowprops={"arrowstyle": "-|>", "color": MUTED, "linewidth": 1, "shrinkA": 0, "shrinkB": 0},
            )
    return figure


def format_shape(shape: Any) -> str:
    """Return ``48 × 48 × 1`` for ``(None, 48, 48, 1)``; a text passes through."""
    if isinstance(shape, str) or shape is None:
        return str(shape or "")
    if shape and isinstance(shape[0], list | tuple):
        return ", ".join(format_shape(part) for part in shape)
    sizes = list(shape)[1:] if len(shape) and shape[0] is None else list(shape)
    return " × ".join("any" if size is None else str(size) for size in sizes)


def _draw_layer(axes: Any, place: int, layer: Mapping[str, Any], total: int) -> None:
    middle = place + 0.4
    colour = next((tint for kind, tint in _KINDS if kind in str(layer["type"]).lower()), MUTED)
    axes.add_patch(
        FancyBboxPatch(
            (0.1, place + 0.05),
            3.8,
            0.7,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor=colour + "22",
            edgecolor=colour,
            linewidth=1.2,
        )
    )
    axes.text(0.25, middle, layer["type"], size=TEXT_SIZE, weight="bold", color=INK, ha="left", va="center")
    # What the type leaves of the box, in pixels a letter of either size; on the safe side.
    room = int((285 - 8.8 * len(layer["type"])) / 6.8)
    name = layer["name"] if len(layer["name"]) <= room else f"…{layer['name'][-max(room - 1, 1) :]}"
    axes.text(3.78, middle, name, size=SMALL_SIZE - 1, color=MUTED, ha="right", va="center")
    axes.text(
        4.3, middle, format_shape(layer["output_shape"]), size=TEXT_SIZE, color=INK, ha="left", va="center"
    )
    count = int(layer["parameters"])
    axes.text(
        7.6,
        middle,
        f"{count:,}" if count else "–",
        size=TEXT_SIZE,
        color=INK if count else MUTED,
        ha="right",
        va="center",
    )
    if count and total:
        axes.barh(middle, 2.0 * count / total, left=7.85, height=0.42, color=colour)


def _fold_branches(layers: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the layers with the backbone, or all up to the last merging layer, as one box: branches are no chain."""
    ends = [
        place
        for place, layer in enumerate(layers)
        if layer.get("part") == "backbone" or layer["type"] in ("Add", "Concatenate", "Multiply")
    ]
    if not ends:
        return layers
    first = next(place for place, layer in enumerate(layers) if layer["type"] != "Input")
    inside = layers[first : ends[-1] + 1]
    box = {
        "type": "Backbone" if layers[ends[-1]].get("part") == "backbone" else "Branches",
        "name": f"{len(inside)} layers",
        "output_shape": inside[-1]["output_shape"],
        "parameters": sum(int(layer["parameters"]) for layer in inside),
    }
    return [*layers[:first], box, *layers[ends[-1] + 1 :]]


def _shorten_layers(layers: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the layers, the middle of a very deep network drawn as one box that says what it stands for."""
    if len(layers) <= MAX_LAYERS:
        return layers
    hidden = layers[MAX_LAYERS // 2 : -(MAX_LAYERS // 2 - 1)]
    middle = {
        "type": f"… {len(hidden)} layers …",
        "name": "",
        "output_shape": hidden[-1]["output_shape"],
        "parameters": sum(int(layer["parameters"]) for layer in hidden),
    }
    return [*layers[: MAX_LAYERS // 2], middle, *layers[-(MAX_LAYERS // 2 - 1) :]]
