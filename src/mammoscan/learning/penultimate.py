"""What a network makes of an image before its last layer decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.learning.blocks import read_rows
from mammoscan.learning.scaling import choose_scale, scale_pixels
from mammoscan.studies import Recipe

if TYPE_CHECKING:
    import keras

_BATCH_PIXELS = 2**20


def build_extractor(model: keras.Model) -> keras.Model:
    """Return the part of a network below its last layer with weights.

    Where that layer sits on a flattened map, the map's mean over all places is taken: what is there, not where.

    Args:
        model: Scaled images in, probabilities out.
    """
    import keras

    layers = list(model.layers)
    last = max(index for index, layer in enumerate(layers) if layer.weights)
    below = layers[last].input
    for layer in reversed(layers[:last]):
        if type(layer).__name__ == "Flatten" and len(layer.input.shape) == 4:
            below = keras.layers.GlobalAveragePooling2D()(layer.input)
        if type(layer).__name__ != "Dropout":
            break
    return keras.Model(model.inputs[0], below)


def compute_penultimate(
    extractor: Any, pixels: NDArray[np.uint8], rows: NDArray[np.integer], recipe: Recipe
) -> NDArray[np.float32]:
    """Compute the features of some rows.

    Args:
        extractor: What ``build_extractor`` returned.
        pixels: uint8 ``[N, H, W, C]``, possibly memory-mapped; read batch by batch.
        rows: Positions in ``pixels``.
        recipe: Its ``scale`` is how the network's images are scaled.

    Returns:
        float32 ``[len(rows), D]``.
    """
    from keras import ops

    size = max(1, min(256, _BATCH_PIXELS // int(np.prod(pixels.shape[1:]))))
    parts = []
    for first in range(0, len(rows), size):
        scaled = scale_pixels(read_rows(pixels, np.asarray(rows[first : first + size])), choose_scale(recipe))
        found = ops.convert_to_numpy(extractor(scaled, training=False))
        parts.append(found.reshape(len(found), -1).astype(np.float32))
    return (
        np.concatenate(parts)
        if parts
        else np.empty((0, int(np.prod(extractor.output_shape[1:]))), np.float32)
    )
