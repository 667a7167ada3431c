"""Pictures in the service's answers."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Red, green, blue and opacity at 0, 1/4, … 1: clear where the network did not look, red where it looked most. Seen over
# grey films as over pink tissue.
_RAMP = np.array(
    [[255, 220, 90, 0], [255, 205, 60, 70], [255, 160, 20, 130], [245, 85, 10, 170], [200, 0, 20, 200]], float
)


def encode_picture(pixels: NDArray[np.uint8]) -> str:
    """Return uint8 ``[H, W]``, ``[H, W, 1]``, ``[H, W, 3]`` or ``[H, W, 4]`` as the data URI of a PNG."""
    flat = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(flat)).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def colour_heat(heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a heat map ``[H, W]`` in 0 to 1 as colours with opacity ``[H, W, 4]``, to be laid over the image."""
    at = np.linspace(0, 1, len(_RAMP))
    filled = np.clip(np.nan_to_num(heat), 0, 1)
    return np.stack([np.interp(filled, at, _RAMP[:, c]) for c in range(4)], axis=-1).round().astype(np.uint8)
