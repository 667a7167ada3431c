"""Rotation, shear, zoom and flips of training images as one affine map each, on the device and in the input path."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.params import AugmentationParams

_TRAINING, _PREDICTION = 3, 4
# Of the projective map that the backends take; the last two are 0 in an affine one.
NUMBERS = 8


def draw_warps(
    augmentation: AugmentationParams, seed: int, epoch: int, count: int, height: int, width: int
) -> NDArray[np.float32]:
    """Draw the maps of one epoch, which the recipe's seed and the epoch's number alone decide.

    Args:
        augmentation: How far images are bent.
        seed: The recipe's.
        epoch: Counted from 1.
        count: Places in the epoch's order.
        height: Of an image.
        width: Of an image.

    Returns:
        ``[count, 8]``: for each place, where each pixel of what is shown lies in the image.
    """
    return _draw(augmentation, np.random.default_rng([seed, _TRAINING, epoch]), count, height, width)


def draw_prediction_warps(
    augmentation: AugmentationParams | None, seed: int, draws: int, height: int, width: int
) -> NDArray[np.float32]:
    """Draw the maps over which a prediction is averaged.

    They are the same for every image, so that no image's answer depends on those asked with it.
    """
    if augmentation is None or draws == 0:
        return np.empty((0, NUMBERS), np.float32)
    return _draw(augmentation, np.random.default_rng([seed, _PREDICTION]), draws, height, width)


def warp_tensor(images: Any, warps: Any) -> Any:
    """Bend a batch of images.

    Args:
        images: float32 ``[n, H, W, C]``.
        warps: ``[n, 8]`` or ``[8]``.
    """
    from keras import ops

    return ops.image.affine_transform(
        images, warps, interpolation="bilinear", fill_mode="nearest", data_format="channels_last"
    )


def _draw(
    augmentation: AugmentationParams, rng: np.random.Generator, count: int, height: int, width: int
) -> NDArray[np.float32]:
    """Compose the maps in the order of Keras' old generator, which is that of the articles."""
    turn = np.deg2rad(rng.uniform(-1, 1, count) * augmentation.rotation)
    shear = np.deg2rad(rng.uniform(-1, 1, count) * augmentation.shear)
    zoom = rng.uniform(*augmentation.zoom, (2, count))
    flips = np.where(rng.random((2, count)) < 0.5, -1, 1)
    zoom[0] *= flips[0] if augmentation.flip_vertical else 1
    zoom[1] *= flips[1] if augmentation.flip_horizontal else 1
    # Rows and columns from the centre: rotation times shear times zoom and flip.
    row_row = np.cos(turn) * zoom[0]
    column_row = np.sin(turn) * zoom[0]
    row_column = (-np.cos(turn) * np.sin(shear) - np.sin(turn) * np.cos(shear)) * zoom[1]
    column_column = (-np.sin(turn) * np.sin(shear) + np.cos(turn) * np.cos(shear)) * zoom[1]
    y, x = (height - 1) / 2, (width - 1) / 2
    warps = np.zeros((count, NUMBERS))
    warps[:, 0], warps[:, 1] = column_column, column_row
    warps[:, 2] = x - column_column * x - column_row * y
    warps[:, 3], warps[:, 4] = row_column, row_row
    warps[:, 5] = y - row_column * x - row_row * y
    return warps.astype(np.float32)
