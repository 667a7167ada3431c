"""Grey images in PGM files, read straight from their bytes."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

import numpy as np

from mammoscan.errors import MammoscanError

_SPACE = rb"(?:\s|#[^\n]*\n)+"
_HEADER = re.compile(rb"P5" + (_SPACE + rb"(\d{1,6})") * 3 + rb"\s")
HEADER_BYTES = 4096


def read_pgm(path: Path) -> np.ndarray:
    """Read an 8-bit square grey image.

    Args:
        path: A PGM file. Binary ones are memory-mapped, so that a few rows cost only their own reads.

    Returns:
        A read-only uint8 array of height and width.
    """
    try:
        with path.open("rb", buffering=0) as stream:
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        header = _HEADER.match(content[:HEADER_BYTES])
        if header is None:
            return _read_other(path)
        width, height, largest = (int(value) for value in header.groups())
        _check_shape(path, width, height)
        if largest != 255:
            raise MammoscanError(
                f"{path} has grey values up to {largest}, expected 8 bits, which is 255: convert it"
            )
        found, expected = len(content), header.end() + width * height
        if found < expected:
            raise MammoscanError(f"{path} is cut short: {found} bytes, expected {expected}: get it again")
        return np.frombuffer(content, np.uint8, width * height, header.end()).reshape(height, width)
    except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
        raise MammoscanError(f"{path} cannot be read: {error}; expected an 8-bit PGM image") from error


def _read_other(path: Path) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(path) as image:
            mode, pixels = image.mode, np.asarray(image)
    except ValueError as error:
        raise MammoscanError(f"{path} cannot be read: {error}; expected an 8-bit PGM image") from error
    if mode != "L":
        raise MammoscanError(f"{path} is an image of mode {mode}, expected 8-bit grey: convert it")
    _check_shape(path, pixels.shape[1], pixels.shape[0])
    return pixels


def _check_shape(path: Path, width: int, height: int) -> None:
    if width != height or not width:
        raise MammoscanError(f"{path} is {width} x {height} pixels, expected a square scan")
