"""Pictures within a page: as data, at the size at which they are legible."""

from __future__ import annotations

import base64
import io
import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mammoscan.figures.style import DPI

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# A thumbnail's longer side at most, in pixels.
MAX_SIDE = 192


def embed_png(png: bytes) -> str:
    """Return a PNG as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def embed_image(image: NDArray[np.uint8]) -> str:
    """Return an image as a data URI: small ones as they are, larger ones shrunk.

    Args:
        image: ``[H, W]``, ``[H, W, 1]`` or ``[H, W, 3]``.
    """
    picture = Image.fromarray(np.ascontiguousarray(image[..., 0] if image.shape[-1:] == (1,) else image))
    buffer = io.BytesIO()
    if max(picture.size) <= 64:
        picture.save(buffer, "PNG", optimize=True)
        return embed_png(buffer.getvalue())
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    picture.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def embed_text(text: str, kind: str) -> str:
    """Return a text as a data URI, e.g. of ``text/csv``."""
    return f"data:{kind};charset=utf-8;base64," + base64.b64encode(text.encode()).decode("ascii")


def measure_png(png: bytes) -> tuple[int, int]:
    """Return the size in CSS pixels at which a PNG's text has its intended size, whatever its resolution.

    Args:
        png: A PNG; where it states its dots per inch, they are reduced to the figures' own.
    """
    if not png.startswith(_PNG_SIGNATURE):
        raise ValueError(f"figure: found bytes that start with {png[:8]!r}, expected a PNG; render it as one")
    width, height = struct.unpack(">II", png[16:24])
    found = png.find(b"pHYs", 24, 4096)
    scale = 1.0
    if found > 0:
        per_metre, _, unit = struct.unpack(">IIB", png[found + 4 : found + 13])
        if unit == 1 and per_metre:
            scale = DPI / (per_metre * 0.0254)
    return round(width * scale), round(height * scale)
