"""The original pixels of an image file for the page, which changes their window itself."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mammoscan.imaging.dicom import read_dicom
from mammoscan.imaging.image_reader import Limits, is_dicom, read_picture

# Browsers on phones draw no larger picture.
MAX_VIEW_PIXELS = 16_000_000


def encode_original(content: bytes, name: str, limits: Limits) -> tuple[dict[str, Any], bytes]:
    """Return an image without any window applied.

    Returns:
        ``width`` and ``height`` of the file, ``depth`` (8 or 16), ``lowest`` and ``highest`` value, and ``step`` (every
        how many pixels were kept); and a PNG. Of 16 bits, red holds the upper byte of a grey level and green the lower
        one, since a browser reads no more than eight bits of a channel.
    """
    if is_dicom(content, name):
        array, _ = read_dicom(content, name, limits, windowed=False)
    else:
        array = read_picture(content, name, limits).array
    height, width = array.shape[:2]
    step = max(1, int(np.ceil(np.sqrt(height * width / MAX_VIEW_PIXELS))))
    array = array[::step, ::step]
    view = {"width": width, "height": height, "depth": 8 * array.itemsize, "step": step}
    view |= {"lowest": int(array.min()), "highest": int(array.max())}
    png = io.BytesIO()
    Image.fromarray(_split_bytes(array)).save(png, "PNG", compress_level=1)
    return view, png.getvalue()


def _split_bytes(array: NDArray) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    channels = [array >> 8, array & 255, np.zeros_like(array)]
    return np.stack(channels, axis=-1).astype(np.uint8)
