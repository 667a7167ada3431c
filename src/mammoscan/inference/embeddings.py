"""Embeddings: what enters a network's last layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.inference.backbone_features import compute_features, cut_head, is_head
from mammoscan.models.ensemble import list_members
from mammoscan.models.preprocessing import choose_scale, scale_pixels
from mammoscan.params import MachineParams, Recipe
from mammoscan.training.pixel_blocks import read_rows

if TYPE_CHECKING:
    import keras


_BATCH_PIXELS = 2**20


def build_extractor(model: keras.Model) -> keras.Model:
    """Return the part of a network below its last layer with weights; an ensemble's are joined.

    Where that layer sits on a flattened map, the map's mean over all places is taken: what is there, not where.

    Args:
        model: Scaled images in, probabilities out.
    """
    import keras

    members = list_members(model)
    if len(members) > 1:
        image = keras.Input(model.input_shape[1:])
        found = [keras.layers.Flatten()(build_extractor(member)(image)) for member in members]
        return keras.Model(image, keras.layers.Concatenate()(found))
    layers = list(model.layers)
    last = max(index for index, layer in enumerate(layers) if layer.weights)
    below = layers[last].input
    for layer in reversed(layers[:last]):
        if type(layer).__name__ == "Flatten" and len(layer.input.shape) == 4:
            below = keras.layers.GlobalAveragePooling2D()(layer.input)
        if type(layer).__name__ != "Dropout":
            break
    return keras.Model(model.inputs[0], below)


def compute_embeddings(
    extractor: Any, pixels: NDArray[np.uint8], rows: NDArray[np.integer], recipe: Recipe
) -> NDArray[np.float32]:
    """Compute the embeddings of some rows.

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


class Embedder:
    """One network's embeddings of images; a frozen backbone's features are not computed anew."""

    def __init__(
        self,
        model: keras.Model,
        pixels: NDArray[np.uint8],
        recipe: Recipe,
        machine: MachineParams,
        features: NDArray[np.float32] | None = None,
    ) -> None:
        """Take a network and the packed images.

        Args:
            model: The whole network; or the head alone where its backbone is frozen.
            pixels: uint8 ``[N, H, W, C]``, possibly memory-mapped.
            recipe: The one that the network was trained by.
            machine: On what a frozen backbone is computed.
            features: What a frozen backbone made of all images; None or without columns where it is not frozen.
        """
        self._pixels, self._recipe, self._machine = pixels, recipe, machine
        self._features = features if features is not None and features.shape[1] else None
        if self._features is not None and not is_head(model):
            model = _copy_head(model)
        self._extractor = build_extractor(model)

    def embed_rows(self, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return float32 ``[len(rows), D]`` of some of the packed images."""
        if self._features is None:
            return compute_embeddings(self._extractor, self._pixels, rows, self._recipe)
        return self._pass_on(self._features[np.asarray(rows)])

    def embed_images(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return float32 ``[N, D]`` of other images, uint8 ``[N, H, W, C]``."""
        if self._features is None:
            return compute_embeddings(self._extractor, images, np.arange(len(images)), self._recipe)
        _, blocks = compute_features(images, self._recipe, self._machine)
        return self._pass_on(np.concatenate(list(blocks)))

    def _pass_on(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        from keras import ops

        return ops.convert_to_numpy(self._extractor(features, training=False)).astype(np.float32)


def _copy_head(model: keras.Model) -> keras.Model:
    """Return the head of a whole network with layers of its own: those that it is cut from know the images too."""
    import keras

    head = cut_head(model)
    copy = keras.models.clone_model(head)
    copy.set_weights(head.get_weights())
    return copy
