"""What an epoch shows: the order of the images, and how each is turned, mirrored and warped.

All of it is drawn from the recipe's seed and the epoch's number alone. Nothing is carried from one epoch to the next,
so a resumed run needs no random state, and every engine and backend sees the same images in the same order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.imaging.views import N_VIEWS, make_view
from mammoscan.params import AugmentationParams

# Each kind of draw has a stream of its own.
_ORDER, _VIEWS, _TRAINING, _PREDICTION = 1, 2, 3, 4
# Numbers of the projective map that the backends take; the last two are 0 in an affine one.
_MAP = 8
# Behind them how far grey levels are moved, and the factor of their distance to the image's mean.
NUMBERS = _MAP + 2


def draw_order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """Return the order of one epoch: every position from 0 to ``count - 1`` once."""
    return np.random.default_rng([seed, _ORDER, epoch]).permutation(count)


def draw_views(seed: int, epoch: int, count: int) -> NDArray[np.int32]:
    """Return the view, 0 to 7, in which the image at each place of one epoch's order is shown."""
    return np.random.default_rng([seed, _VIEWS, epoch]).integers(0, N_VIEWS, count, dtype=np.int32)


def tabulate_views(height: int, width: int) -> NDArray[np.int32]:
    """Write the eight views as look-up tables.

    Args:
        height: Pixels from top to bottom.
        width: Pixels from left to right; equal to ``height``, or the views would differ in shape.

    Returns:
        ``[8, height * width]``: where each pixel of a flattened view lies in the flattened image.
    """
    if height != width:
        raise MammoscanError(
            f"views: found images of {height} x {width} pixels, expected square ones; "
            "set views.training to none and views.prediction to false"
        )
    places = np.arange(height * width, dtype=np.int32).reshape(height, width)
    return np.stack([make_view(places, k).ravel() for k in range(N_VIEWS)])


def draw_warps(
    augmentation: AugmentationParams, seed: int, epoch: int, count: int, height: int, width: int
) -> NDArray[np.float32]:
    """Draw the maps of one epoch, which the recipe's seed and the epoch's number alone decide.

    Args:
        augmentation: How far images are warped.
        seed: The recipe's.
        epoch: Counted from 1.
        count: Places in the epoch's order.
        height: Of an image.
        width: Of an image.

    Returns:
        ``[count, NUMBERS]``: for each place, where each pixel of what is shown lies in the image, and how its grey
        levels change.
    """
    return _draw(augmentation, np.random.default_rng([seed, _TRAINING, epoch]), count, height, width)


def draw_prediction_warps(
    augmentation: AugmentationParams | None, seed: int, draws: int, height: int, width: int
) -> NDArray[np.float32]:
    """Draw the maps over which a prediction is averaged.

    They are the same for every image, so that no image's prediction depends on its batch.
    """
    if augmentation is None or draws == 0:
        return np.empty((0, NUMBERS), np.float32)
    return _draw(augmentation, np.random.default_rng([seed, _PREDICTION]), draws, height, width)


class AugmentationKind(NamedTuple):
    """What of an augmentation changes the compiled function.

    Attributes:
        fill: What lies beyond the border.
        levels: Whether grey levels change.
    """

    fill: str = "nearest"
    levels: bool = False


def read_augmentation(augmentation: AugmentationParams | None) -> AugmentationKind | None:
    """Return the kind of a recipe's augmentation."""
    if augmentation is None:
        return None
    return AugmentationKind(augmentation.fill, bool(augmentation.brightness or augmentation.contrast))


def warp_tensor(images: Any, warps: Any, kind: AugmentationKind | None = None) -> Any:
    """Warp a batch of images.

    Args:
        images: float32 ``[n, H, W, C]``, grey levels from 0 to 255.
        warps: ``[n, NUMBERS]`` or ``[NUMBERS]``.
        kind: None means the default.
    """
    from keras import ops

    kind = kind or AugmentationKind()
    warped = ops.image.affine_transform(
        images,
        warps[..., :_MAP],
        interpolation="bilinear",
        fill_mode=kind.fill,
        fill_value=0.0,
        data_format="channels_last",
    )
    if not kind.levels:
        return warped
    # As in Keras' RandomContrast and RandomBrightness.
    offset, factor = (ops.reshape(warps[..., _MAP + k], (-1, 1, 1, 1)) for k in (0, 1))
    mean = ops.mean(warped, axis=(1, 2), keepdims=True)
    return ops.clip((warped - mean) * factor + mean + offset, 0, 255)


def augment_batch(
    pixels: NDArray[np.uint8], augmentation: AugmentationParams | None, random_views: bool, seed: int
) -> NDArray[np.uint8]:
    """Return images as a training would show them in its first epoch.

    Args:
        pixels: uint8 ``[n, H, W, C]``.
        augmentation: The recipe's.
        random_views: Whether each is turned and mirrored at random.
        seed: The recipe's.
    """
    count, height, width = pixels.shape[:3]
    shown = pixels
    if random_views:
        views = draw_views(seed, 1, count)
        shown = np.stack([make_view(image, int(view)) for image, view in zip(pixels, views, strict=True)])
    if augmentation is None:
        return shown
    from keras import ops

    warps = draw_warps(augmentation, seed, 1, count, height, width)
    warped = warp_tensor(shown.astype(np.float32), warps, read_augmentation(augmentation))
    return np.rint(np.clip(ops.convert_to_numpy(warped), 0, 255)).astype(np.uint8)


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
    # Drawn last, so that what is drawn before does not depend on whether these are wanted.
    down, right = rng.uniform(-1, 1, (2, count))
    down, right = down * augmentation.shift_height * height, right * augmentation.shift_width * width
    warps[:, 2] += np.sin(turn) * down + np.cos(turn) * right
    warps[:, 5] += np.cos(turn) * down - np.sin(turn) * right
    levels = rng.uniform(-1, 1, (2, count))
    warps[:, _MAP] = 255 * augmentation.brightness * levels[0]
    warps[:, _MAP + 1] = 1 + augmentation.contrast * levels[1]
    return warps.astype(np.float32)
