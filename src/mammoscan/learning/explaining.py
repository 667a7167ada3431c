"""Where in an image a network found what it says: Grad-CAM and occlusion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mammoscan.errors import MammoscanError
from mammoscan.imaging.views import N_VIEWS, invert_view, make_view
from mammoscan.learning.exposing import find_last_convolution, open_network, score_label
from mammoscan.learning.placing import spread_maps
from mammoscan.learning.scaling import Scale, scale_pixels

if TYPE_CHECKING:
    import keras

__all__ = ["explain_gradcam", "explain_images", "explain_occlusion", "find_last_convolution"]

_BATCH = 32


def explain_gradcam(
    model: keras.Model, scaled: NDArray[np.float32], label_index: int, layer: str | None = None
) -> NDArray[np.float32]:
    """Show where a network saw a label, by the gradients at one of its convolutions (Selvaraju et al. 2017).

    Args:
        model: Scaled images in, probabilities out: a softmax or one sigmoid.
        scaled: One image as the network takes it, ``[1, H, W, C]``.
        label_index: Index of the label that is explained.
        layer: Name of a convolution; None means the last one.

    Returns:
        float32 ``[H, W]``: 1 where most speaks for the label, 0 where nothing does; all 0 if nothing does anywhere.
    """
    return _normalise(_compute_gradcams(model, scaled, [label_index], layer))[0]


def explain_images(
    model: keras.Model,
    pixels: NDArray[np.uint8],
    label_indices: ArrayLike,
    *,
    scale: Scale,
    views: bool,
    layer: str | None = None,
) -> NDArray[np.float32]:
    """Show by Grad-CAM where a network saw a label in each of many images, in the way it was asked about them.

    Args:
        model: Scaled images in, probabilities out.
        pixels: uint8 ``[N, H, W, C]``.
        label_indices: Index of the label that is explained, for each image.
        scale: How images are scaled for the network.
        views: Whether an answer is the mean of the eight views; then so is the explanation.
        layer: Name of a convolution; None means the last one.

    Returns:
        float32 ``[N, H, W]``, each from 0 to 1.
    """
    wanted = np.asarray(label_indices, dtype=np.int64)
    found = np.zeros(pixels.shape[:3], np.float32)
    turns = range(N_VIEWS) if views else range(1)
    size = _BATCH // len(turns)
    for first in range(0, len(pixels), size):
        asked = [(row, k) for row in range(first, min(first + size, len(pixels))) for k in turns]
        turned = np.stack([make_view(pixels[row], k) for row, k in asked])
        maps = _compute_gradcams(model, scale_pixels(turned, scale), [wanted[row] for row, _ in asked], layer)
        for (row, k), one in zip(asked, maps, strict=True):
            found[row] += make_view(one, invert_view(k))
    return _normalise(found)


def explain_occlusion(
    model: keras.Model,
    scaled: NDArray[np.float32],
    label_index: int,
    patch: int = 8,
    stride: int = 4,
    *,
    batch_size: int = 64,
) -> NDArray[np.float32]:
    """Show where an image must be seen for a network to say a label, by covering place after place.

    Args:
        model: Scaled images in, probabilities out: a softmax or one sigmoid.
        scaled: One image as the network takes it, ``[1, H, W, C]``.
        label_index: Index of the label that is explained.
        patch: Side of the square that is covered with the image's mean.
        stride: Pixels from one square to the next.
        batch_size: Covered images at a time, at most; memory grows with it.

    Returns:
        float32 ``[H, W]``: how far the label's probability falls when a place is covered, the mean of the squares
        over it; below 0 where it rises.
    """
    image = scaled[0]
    corners = [
        (top, left)
        for top in _list_starts(image.shape[0], patch, stride)
        for left in _list_starts(image.shape[1], patch, stride)
    ]
    before = _ask(model, scaled, label_index)[0]
    falls, covers = np.zeros(image.shape[:2]), np.zeros(image.shape[:2])
    for first in range(0, len(corners), batch_size):
        part = corners[first : first + batch_size]
        batch = np.repeat(scaled, len(part), axis=0)
        for covered, (top, left) in zip(batch, part, strict=True):
            covered[top : top + patch, left : left + patch] = image.mean(axis=(0, 1))
        for (top, left), after in zip(part, _ask(model, batch, label_index), strict=True):
            falls[top : top + patch, left : left + patch] += before - after
            covers[top : top + patch, left : left + patch] += 1
    return (falls / covers).astype(np.float32)


def _compute_gradcams(
    model: keras.Model, scaled: NDArray[np.float32], label_indices: Any, layer: str | None
) -> NDArray[np.float32]:
    """Return the maps ``[N, H, W]``, without anything below 0 but each on its own scale."""
    import keras

    if keras.config.backend() != "tensorflow":
        raise MammoscanError(
            f"Grad-CAM: found the backend {keras.config.backend()}, expected tensorflow; set KERAS_BACKEND=tensorflow "
            "or use occlusion"
        )
    import tensorflow as tf

    name = layer or find_last_convolution(model)
    opened = open_network(model, name)
    with tf.GradientTape() as tape:
        features, tail, output = opened(tf.convert_to_tensor(scaled), training=False)
        score = score_label(model, tail, output, tf.convert_to_tensor(label_indices))
    slopes = tf.cast(tape.gradient(score, features), tf.float32)
    weights = tf.reduce_mean(slopes, axis=(1, 2), keepdims=True)
    maps = tf.nn.relu(tf.reduce_sum(weights * tf.cast(features, tf.float32), axis=-1))
    return spread_maps(maps.numpy(), model, name, scaled.shape[1:3])


def _normalise(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    tops = maps.max(axis=(1, 2), keepdims=True)
    return (maps / np.where(tops > 0, tops, 1)).astype(np.float32)


def _list_starts(length: int, patch: int, stride: int) -> list[int]:
    """Return the starts of squares that cover a whole side; the last one ends where the image does."""
    last = max(0, length - patch)
    return sorted({*range(0, last + 1, stride), last})


def _ask(model: keras.Model, scaled: NDArray[np.float32], label_index: int) -> NDArray[np.float32]:
    from keras import ops

    said = ops.convert_to_numpy(model(scaled, training=False)).astype(np.float32)
    if said.shape[-1] == 1:
        return said[:, 0] if label_index == 1 else 1 - said[:, 0]
    return said[:, label_index]
