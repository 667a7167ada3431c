"""From stored bytes to what a network reads; training and prediction must agree on it."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.models.architectures import find_backbone
from mammoscan.params import Recipe

# ``caffe``, ``tf`` and ``torch`` are the three ways in which Keras' pretrained networks were trained.
Scale = Literal["unit", "standard", "caffe", "tf", "torch"]
# The mean and the deviation of ImageNet's red, green and blue.
_MEAN = np.array([0.485, 0.456, 0.406])
_DEVIATION = np.array([0.229, 0.224, 0.225])
_CAFFE_MEAN = np.array([103.939, 116.779, 123.68])


def choose_scale(recipe: Recipe) -> Scale:
    """Return how a recipe's images are scaled; ``backbone`` becomes what its network was trained with."""
    if recipe.scale == "backbone":
        return find_backbone(recipe.network.name, "scale: backbone").preprocessing
    return recipe.scale


def scale_pixels(pixels: NDArray[np.number], scale: Scale) -> NDArray[np.float32]:
    """Turn bytes into the network's input.

    Args:
        pixels: Images of any shape, channels last.
        scale: ``unit`` divides by 255; ``standard`` undoes the grid's encoding of standard scores, z * 32 + 128; the
            others are what ``choose_scale`` says of a pretrained network.

    Returns:
        float32 of the same shape.
    """
    values = pixels.astype(np.float32)
    if scale == "unit":
        return values / np.float32(255)
    factor, offset = find_line(scale, pixels.shape[-1])
    if scale == "caffe" and pixels.shape[-1] == 3:
        values = values[..., ::-1]
    return values / factor - offset


def scale_tensor(pixels: Any, scale: Scale) -> Any:
    """Do what ``scale_pixels`` does to a tensor, on the tensor's device."""
    from keras import ops

    values = ops.cast(pixels, "float32")
    if scale == "unit":
        return values / 255.0
    factor, offset = find_line(scale, pixels.shape[-1])
    if scale == "caffe" and pixels.shape[-1] == 3:
        values = ops.flip(values, axis=-1)
    return values / factor - offset


def find_line(scale: Scale, channels: int | None) -> tuple[Any, Any]:
    """Return by what a scale divides the bytes, and what it subtracts then; ``unit`` needs neither."""
    if scale == "standard":
        return np.float32(32), np.float32(4)
    if scale == "tf":
        return np.float32(127.5), np.float32(1)
    if scale not in ("caffe", "torch"):
        raise MammoscanError(f"scale: found {scale!r}, expected what choose_scale(recipe) returns")
    factor, offset = (np.ones(3), _CAFFE_MEAN) if scale == "caffe" else (255 * _DEVIATION, _MEAN / _DEVIATION)
    if channels != 3:
        # One channel stands for all three.
        factor, offset = factor.mean(), offset.mean()
    return np.asarray(factor, np.float32), np.asarray(offset, np.float32)
