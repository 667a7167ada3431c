"""From a picture of any size and kind to what a network takes; what was done on the way is said."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mammoscan.errors import MammoscanError
from mammoscan.imaging.decode import UnreadableImageError, decode_image
from mammoscan.imaging.scan_grid import standardise_scan
from mammoscan.records.card import NetworkInput
from mammoscan.serving.image_reader import Picture

# A picture this much larger than the window that a model takes is a scan, not a window.
SCAN_WINDOWS = 2


def fit_picture(
    picture: Picture, how: NetworkInput, shape: tuple[int, int, int]
) -> tuple[NDArray[np.uint8], list[str]]:
    """Turn a picture into a network's input.

    A picture of exactly the network's size goes in as it is. Otherwise ``window`` and ``radius`` take the largest
    square in the middle, shrink it, and (``window``) standardise it over itself; ``image`` resizes the whole.

    Args:
        picture: What was read.
        how: What the network takes, from the card.
        shape: Height, width and channels that the network takes.

    Returns:
        uint8 of that shape, and what was done in sentences.
    """
    height, width, channels = shape
    warnings: list[str] = []
    if how.kind == "image":
        return _fit_image(picture, shape, warnings), warnings
    array = _fit_channels(_fit_depth(picture.array, warnings), channels, warnings)
    found = array.shape[:2]
    size = f"{width} x {height}"
    if found == (height, width):
        if how.kind == "window":
            warnings.append(f"taken as it is: {size} pixels, already cut and standardised")
        return _as_channels(array), warnings
    if is_whole_scan(picture, how):
        side = how.window_side
        raise MammoscanError(
            f"{picture.name} is {found[1]} x {found[0]} pixels, a whole scan; expected a window of about "
            f"{side} x {side} around one place: cut one out, or ask for the scan's map"
        )
    array = _cut_square(array, warnings)
    if how.kind == "radius":
        return _resize(array, width, height, Image.Resampling.BICUBIC), warnings
    small = _resize(array, width, height, Image.Resampling.BOX)
    warnings.append(
        f"shrunk from {array.shape[1]} x {array.shape[0]} to {size} pixels and standardised over itself: expected is a "
        f"window of {how.window_side} x {how.window_side} pixels of the scan"
    )
    grey = small[..., 0]
    return standardise_scan(grey, grey > 0)[..., None], warnings


def _fit_image(picture: Picture, shape: tuple[int, int, int], warnings: list[str]) -> NDArray[np.uint8]:
    """Return the whole picture at the network's size: read just as in training where that is possible."""
    height, width, channels = shape
    said: list[str] = []
    array = _fit_channels(_fit_depth(picture.array, said), channels, warnings)
    if picture.content:
        try:
            return decode_image(picture.content, (height, width), channels).pixels
        except UnreadableImageError:
            # In training such a file is left out; here a person waits for an answer, and is told.
            pass
    warnings += said
    return _resize(array, width, height, Image.Resampling.BILINEAR)


def is_whole_scan(picture: Picture, how: NetworkInput) -> bool:
    """Tell whether a picture is far larger than the windows that a model takes."""
    return how.kind == "window" and min(picture.array.shape[:2]) >= SCAN_WINDOWS * how.window_side


def flatten_grey(picture: Picture, warnings: list[str]) -> NDArray[np.uint8]:
    """Return a picture as 8-bit grey ``[H, W]``; what was done to it is added to the warnings."""
    return _fit_channels(_fit_depth(picture.array, warnings), 1, warnings)


def _fit_depth(array: NDArray, warnings: list[str]) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    lowest, highest = int(array.min()), int(array.max())
    warnings.append(f"16 bits a pixel: values from {lowest} to {highest} were stretched to 8 bits")
    return np.rint((array - float(lowest)) * (255 / max(highest - lowest, 1))).astype(np.uint8)


def _fit_channels(array: NDArray[np.uint8], channels: int, warnings: list[str]) -> NDArray[np.uint8]:
    if channels == 1 and array.ndim == 3:
        if (array != array[..., :1]).any():
            warnings.append("colours were turned into grey")
        return np.asarray(Image.fromarray(array).convert("L"))
    if channels == 3 and array.ndim == 2:
        warnings.append("a grey picture, where the model was trained on colour")
        return np.repeat(array[..., None], 3, axis=-1)
    return array


def _cut_square(array: NDArray[np.uint8], warnings: list[str]) -> NDArray[np.uint8]:
    height, width = array.shape[:2]
    side = min(height, width)
    if height != width:
        warnings.append(f"{width} x {height} pixels is no square: the middle {side} x {side} were taken")
    top, left = (height - side) // 2, (width - side) // 2
    return array[top : top + side, left : left + side]


def _resize(array: NDArray[np.uint8], width: int, height: int, method: Image.Resampling) -> NDArray[np.uint8]:
    resized = Image.fromarray(np.ascontiguousarray(array)).resize((width, height), method)
    return _as_channels(np.asarray(resized))


def _as_channels(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(array if array.ndim == 3 else array[..., None])
