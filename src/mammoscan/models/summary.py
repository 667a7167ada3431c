"""A network in words and numbers: the rows of its summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from mammoscan.models.backbones import FEATURES

if TYPE_CHECKING:
    import keras


class LayerRow(TypedDict):
    """One layer of a network's summary.

    Attributes:
        part: ``backbone`` up to the layer where the backbone ends, ``head`` behind it; empty without a backbone.
    """

    name: str
    part: str
    type: str
    output_shape: tuple[int, ...]
    parameters: int


def describe_network(model: keras.Model) -> list[LayerRow]:
    """List a network's layers, the input first.

    Args:
        model: A built model with one input.

    Returns:
        A row a layer; ``output_shape`` is that of one image, without the batch.
    """
    shape = tuple(model.input_shape[1:])
    rows = [LayerRow(name="image", part="", type="Input", output_shape=shape, parameters=0)]
    names = [layer.name for layer in model.layers]
    end = names.index(FEATURES) if FEATURES in names else -1
    rows += [
        LayerRow(
            name=layer.name,
            part="" if end < 0 else "backbone" if place <= end else "head",
            type=type(layer).__name__,
            output_shape=tuple(layer.output.shape[1:]),
            parameters=layer.count_params(),
        )
        for place, layer in enumerate(model.layers)
        if type(layer).__name__ != "InputLayer"
    ]
    return rows


def summarise_network(model: keras.Model) -> str:
    """Write a network's summary as a plain text table.

    Args:
        model: A built model with one input.

    Returns:
        A line a layer with its output shape and parameters, and the sum of the parameters.
    """
    rows = [("layer", "type", "output shape", "parameters")]
    rows += [
        (row["name"], row["type"], " x ".join(map(str, row["output_shape"])), f"{row['parameters']:,}")
        for row in describe_network(model)
    ]
    rows.append(("all", "", "", f"{model.count_params():,}"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join(
            (
                *(cell.ljust(width) for cell, width in zip(row[:3], widths[:3], strict=True)),
                row[3].rjust(widths[3]),
            )
        ).rstrip()
        for row in rows
    ]
    rule = "-" * max(map(len, lines))
    return "\n".join([f"network {model.name}", rule, lines[0], rule, *lines[1:-1], rule, lines[-1]]) + "\n"
