"""Pictures in the service's answers."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Red, green, blue and opacity at 0, 1/4, … 1: clear where nothing speaks for the label, darkest where most does. The
# picture underneath stays visible, on grey films as on pink tissue. Red would suggest a finding where the answer is
# that there is none, so the other label is blue.
WARM = np.array(
    [[255, 220, 90, 0], [255, 205, 60, 60], [255, 160, 20, 105], [245, 85, 10, 135], [200, 0, 20, 155]], float
)
COOL = np.array(
    [[150, 220, 255, 0], [110, 195, 250, 60], [60, 155, 240, 105], [25, 105, 220, 135], [10, 55, 180, 155]],
    float,
)


def encode_picture(pixels: NDArray[np.uint8]) -> str:
    """Return uint8 ``[H, W]``, ``[H, W, 1]``, ``[H, W, 3]`` or ``[H, W, 4]`` as the data URI of a PNG."""
    flat = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(flat)).save(file, "PNG")
    return encode_png(file.getvalue())


def encode_png(content: bytes) -> str:
    """Return a PNG file as a data URI."""
    return "data:image/png;base64," + base64.b64encode(content).decode()


def colour_heat(heat: NDArray[np.float32], warm: bool = True) -> NDArray[np.uint8]:
    """Return a heat map ``[H, W]`` in 0 to 1 as an overlay ``[H, W, 4]``, yellow to red or light to dark blue."""
    ramp = WARM if warm else COOL
    at = np.linspace(0, 1, len(ramp))
    filled = np.clip(np.nan_to_num(heat), 0, 1)
    return np.stack([np.interp(filled, at, ramp[:, c]) for c in range(4)], axis=-1).round().astype(np.uint8)
