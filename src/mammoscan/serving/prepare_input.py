"""From the bytes of an image file to what a network takes, with notes of what was done and warnings."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mammoscan.errors import MammoscanError
from mammoscan.imaging.image_reader import Limits, Picture, UnreadableImageError, decode_image, read_picture
from mammoscan.imaging.scan_grid import prepare_scales, prepare_scan, standardise_scan
from mammoscan.records.card import ImageInput, ModelInput, NetworkInput, WindowInput

# A picture this much larger than the window that a model takes is a scan, not a window.
SCAN_WINDOWS = 2
# A scan is padded to a square before it is shrunk.
MAX_PADDED_PIXELS = 100_000_000
MIN_SIDE = 16
# Standard deviation in grey levels of 255 below which an image shows next to nothing.
MIN_CONTRAST = 3
# Share of the pixels with one and the same value from which on an image shows next to nothing.
MAX_SAME = 0.99


@dataclass(frozen=True)
class PreparedScan:
    """A whole scan on the grid that windows are cut from.

    Attributes:
        grid: uint8 ``[size, size]``, standardised over the breast.
        mask: Bool of the same shape, the breast.
        others: The scan on finer and coarser grids, where the model takes windows of several scales.
        height: Rows of the scan.
        width: Its columns.
        preview: uint8 ``[h, w]``, the scan made small; None where none was wanted.
    """

    grid: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    height: int
    width: int
    others: tuple[NDArray[np.uint8], ...] = ()
    preview: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class PreparedImage:
    """An image file made ready for a network.

    Attributes:
        name: The file's name.
        pixels: uint8 ``[H, W, C]``; None for a whole scan, of which the model takes windows.
        scan: The whole scan, if it is one.
        notes: What was done to the image, in sentences.
        warnings: Why an answer about it may mean nothing, in sentences.
    """

    name: str
    pixels: NDArray[np.uint8] | None
    scan: PreparedScan | None = None
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def prepare_image(
    content: bytes, name: str, takes: ModelInput, limits: Limits | None = None, preview: int = 0
) -> PreparedImage:
    """Decode an image file and make it ready for a network.

    Args:
        content: The whole file.
        name: What errors call it.
        takes: What the network takes.
        limits: Of the file; None means the defaults.
        preview: Longest side of a whole scan's small picture; 0 means none.

    Raises:
        MammoscanError: The file is no image, exceeds the limits, or cannot be an image of any study.
    """
    picture = read_picture(content, name, limits)
    warnings = check_content(picture, takes)
    if is_whole_scan(picture, takes.input):
        notes = list(picture.notes)
        grey = flatten_grey(picture, notes)
        return PreparedImage(
            name, None, prepare_whole_scan(grey, takes.input, name, preview), notes, warnings
        )
    pixels, notes = fit_picture(picture, takes.input, takes.shape)
    return PreparedImage(name, pixels, None, [*picture.notes, *notes], warnings)


def check_content(picture: Picture, takes: ModelInput) -> list[str]:
    """Reject a picture that shows nothing; return warnings of one that shows next to nothing or is of another kind."""
    shape = takes.shape
    grey = shape[2] == 1 or takes.input.kind == "window"
    array, name = picture.array, picture.name
    height, width = array.shape[:2]
    if min(height, width) < min(MIN_SIDE, *shape[:2]):
        raise MammoscanError(
            f"{name} is {width} x {height} pixels, expected at least {MIN_SIDE} x {MIN_SIDE}: "
            "no image of a study is as small"
        )
    values = array.reshape(height * width, -1)
    if (values.min(axis=0) == values.max(axis=0)).all():
        raise MammoscanError(
            f"{name} is blank: every pixel has the value {', '.join(map(str, values[0]))}; get the image again"
        )
    warnings = []
    # A sample of the pixels tells as much as all of them.
    thin = max(1, round((height * width / 1_000_000) ** 0.5))
    sample = np.asarray(array[::thin, ::thin]).astype(np.float32).reshape(-1, values.shape[1]).mean(axis=1)
    contrast = float(sample.std()) * 255 / np.iinfo(array.dtype).max
    if array.dtype == np.uint8 and contrast < MIN_CONTRAST:
        warnings.append(
            f"nearly blank: its grey levels differ by {contrast:.1f} of 255 (standard deviation), so that an answer "
            "means little"
        )
    elif (same := np.unique(sample, return_counts=True)[1].max() / sample.size) > MAX_SAME:
        warnings.append(f"nearly blank: {100 * same:.1f} % of its pixels have one and the same value")
    if 2 * max(height, width) < max(shape[:2]):
        warnings.append(f"only {width} x {height} pixels, while the network looks at {shape[1]} x {shape[0]}")
    if grey and _is_coloured(array):
        warnings.append("a colour image, while the model was trained on grey ones")
    if shape[2] == 3 and array.ndim == 2 and not grey:
        warnings.append("a grey image, while the model was trained on colour")
    return warnings


def prepare_whole_scan(
    grey: NDArray[np.uint8], how: NetworkInput, name: str = "map", preview: int = 0
) -> PreparedScan:
    """Bring a whole scan to the grid that a model's windows are cut from.

    Args:
        grey: uint8 ``[H, W]``; one that is not square is taken as the upper left part of a black square.
        how: What the network takes.
        name: What errors call it.
        preview: See ``prepare_image``.

    Raises:
        MammoscanError: The model takes no windows of a grid, or the array is no grey scan.
    """
    if not isinstance(how, WindowInput) or how.kind != "window":
        raise MammoscanError(
            f"{name}: the model takes images of kind {how.kind}, expected window: a crop scaled by a region's radius, "
            "or a whole image, has no place in a grid; choose a model of mias or mias_normal"
        )
    if grey.ndim != 2 or grey.dtype != np.uint8:
        raise MammoscanError(
            f"{name}: found {grey.dtype} of shape {list(grey.shape)}, expected a grey scan, uint8 [H, W]"
        )
    side = max(grey.shape)
    if side**2 > MAX_PADDED_PIXELS:
        raise MammoscanError(
            f"{name} is a whole scan of {grey.shape[1]} x {grey.shape[0]} pixels, expected sides of at most "
            f"{round(MAX_PADDED_PIXELS**0.5)}: make it smaller"
        )
    square = np.pad(grey, [(0, side - length) for length in grey.shape])
    grid, mask = prepare_scan(square, how.grid)
    others = prepare_scales(square, mask, how.scales[1:])
    small = None
    if preview:
        image = Image.fromarray(grey)
        image.thumbnail((preview, preview))
        small = np.asarray(image)
    return PreparedScan(grid, mask, grey.shape[0], grey.shape[1], tuple(others), small)


def fit_picture(
    picture: Picture, how: NetworkInput, shape: tuple[int, int, int]
) -> tuple[NDArray[np.uint8], list[str]]:
    """Turn a picture into a network's input.

    A picture of exactly the network's size goes in as it is. Otherwise ``window`` and ``radius`` take the largest
    square in the middle, shrink it, and (``window``) standardise it over itself; ``image`` resizes the whole.

    Args:
        picture: What was decoded.
        how: What the network takes, from the card.
        shape: Height, width and channels that the network takes.

    Returns:
        uint8 of that shape, and what was done in sentences.
    """
    height, width, channels = shape
    notes: list[str] = []
    if how.kind == "image":
        return _fit_image(picture, how, shape, notes), notes
    scales = how.scales if isinstance(how, WindowInput) else (1,)
    array = _fit_channels(_fit_depth(picture.array, notes), 1 if len(scales) > 1 else channels, notes)
    found = array.shape[:2]
    size = f"{width} x {height}"
    if found == (height, width) and len(scales) == 1:
        if how.kind == "window":
            notes.append(f"taken as it is: {size} pixels, already cut and standardised")
        return _as_channels(array), notes
    if is_whole_scan(picture, how):
        raise reject_scan(picture.name, found[0], found[1], how)
    array = _cut_square(array, notes)
    if how.kind == "radius":
        return _resize(array, width, height, Image.Resampling.BICUBIC), notes
    notes.append(
        f"shrunk from {array.shape[1]} x {array.shape[0]} to {size} pixels and standardised over itself: expected is a "
        f"window of {how.window_side} x {how.window_side} pixels of the scan"
    )
    parts = []
    for scale in scales:
        # A picture shows the widest window; the others are its middle.
        edge = round(len(array) * (1 - scale / max(scales)) / 2)
        middle = array[edge : len(array) - edge, edge : len(array) - edge]
        grey = _resize(middle, width, height, Image.Resampling.BOX)[..., 0]
        parts.append(standardise_scan(grey, grey > 0))
    return np.stack(parts, axis=-1), notes


def reject_scan(name: str, height: int, width: int, how: NetworkInput) -> MammoscanError:
    """Return the error for a whole scan where only a window can be used."""
    side = how.window_side if isinstance(how, WindowInput) else 0
    return MammoscanError(
        f"{name} is {width} x {height} pixels, a whole scan; expected a window of about "
        f"{side} x {side} around one place: cut one out, or ask for the scan's map"
    )


def _fit_image(
    picture: Picture, how: ImageInput, shape: tuple[int, int, int], notes: list[str]
) -> NDArray[np.uint8]:
    """Return the whole picture at the network's size: read just as in training where that is possible."""
    height, width, channels = shape
    depth: list[str] = []
    array = _fit_channels(_fit_depth(picture.array, depth), channels, notes)
    if picture.content:
        try:
            return decode_image(picture.content, (height, width), channels, how.levels).pixels
        except UnreadableImageError:
            # Training leaves such a file out; here a user waits for an answer, and reads the note.
            pass
    notes += depth
    return _resize(array, width, height, Image.Resampling.BILINEAR)


def is_whole_scan(picture: Picture, how: NetworkInput) -> bool:
    """Tell whether a picture is far larger than the windows that a model takes."""
    return how.kind == "window" and min(picture.array.shape[:2]) >= SCAN_WINDOWS * how.window_side


def flatten_grey(picture: Picture, notes: list[str]) -> NDArray[np.uint8]:
    """Return a picture as 8-bit grey ``[H, W]``; what was done to it is added to the notes."""
    return _fit_channels(_fit_depth(picture.array, notes), 1, notes)


def _fit_depth(array: NDArray, notes: list[str]) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    lowest, highest = int(array.min()), int(array.max())
    notes.append(f"16 bits per pixel: values from {lowest} to {highest} were stretched to 8 bits")
    # By a table: an array of as many fractions would take eight times the memory.
    levels = np.arange(np.iinfo(array.dtype).max + 1) - float(lowest)
    return np.rint(levels.clip(0) * (255 / max(highest - lowest, 1))).clip(0, 255).astype(np.uint8)[array]


def _fit_channels(array: NDArray[np.uint8], channels: int, notes: list[str]) -> NDArray[np.uint8]:
    if channels == 1 and array.ndim == 3:
        if _is_coloured(array):
            notes.append("colours were turned into grey")
        return np.asarray(Image.fromarray(array).convert("L"))
    if channels == 3 and array.ndim == 2:
        return np.repeat(array[..., None], 3, axis=-1)
    return array


def _cut_square(array: NDArray[np.uint8], notes: list[str]) -> NDArray[np.uint8]:
    height, width = array.shape[:2]
    side = min(height, width)
    if height != width:
        notes.append(f"{width} x {height} pixels is not square: the middle {side} x {side} were taken")
    top, left = (height - side) // 2, (width - side) // 2
    return array[top : top + side, left : left + side]


def _resize(array: NDArray[np.uint8], width: int, height: int, method: Image.Resampling) -> NDArray[np.uint8]:
    resized = Image.fromarray(np.ascontiguousarray(array)).resize((width, height), method)
    return _as_channels(np.asarray(resized))


def _as_channels(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(array if array.ndim == 3 else array[..., None])


def _is_coloured(array: NDArray) -> bool:
    return array.ndim == 3 and bool((array != array[..., :1]).any())
