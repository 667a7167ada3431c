"""From stored bytes to what a network reads; training and prediction must agree on it."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Scale = Literal["unit", "standard"]


def scale_pixels(pixels: NDArray[np.uint8], scale: Scale) -> NDArray[np.float32]:
    """Turn bytes into the network's input.

    Args:
        pixels: Images of any shape.
        scale: ``unit`` divides by 255; ``standard`` undoes the grid's encoding of standard scores, z * 32 + 128.

    Returns:
        float32 of the same shape.
    """
    values = pixels.astype(np.float32)
    if scale == "unit":
        return values / np.float32(255)
    return values / np.float32(32) - np.float32(4)


def scale_tensor(pixels: Any, scale: Scale) -> Any:
    """Do what ``scale_pixels`` does to a tensor, on the tensor's device."""
    from keras import ops

    values = ops.cast(pixels, "float32")
    return values / 255.0 if scale == "unit" else values / 32.0 - 4.0
