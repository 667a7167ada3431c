"""Where the places of a layer's map lie in the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras


def spread_maps(
    maps: NDArray[np.float32], model: keras.Model, layer: str, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Spread a layer's maps over the image, between its places in a straight line.

    Args:
        maps: ``[N, h, w]``.
        model: The network.
        layer: Name of the layer that made them.
        shape: Height and width of the image.

    Returns:
        float32 ``[N, H, W]``; beyond the outermost places their values go on.
    """
    for axis, length in enumerate(shape, 1):
        places = _locate_places(model, layer, length, maps.shape[axis], axis - 1)
        at = np.clip(np.interp(np.arange(length), places, np.arange(len(places))), 0, len(places) - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, len(places) - 1)
        part = np.expand_dims((at - low).astype(np.float32), tuple(i for i in range(3) if i != axis))
        maps = np.take(maps, low, axis) * (1 - part) + np.take(maps, high, axis) * part
    return maps


def _locate_places(
    model: keras.Model, layer: str, length: int, count: int, axis: int
) -> NDArray[np.floating[Any]]:
    """Return the pixel at the middle of what each place of the map sees.

    Convolutions without padding see the border only with their outermost pixels: their map covers less than the
    image. In a chain of layers that is counted; elsewhere places are taken to be spread evenly.
    """
    import keras

    even = (np.arange(count) + 0.5) * length / count - 0.5
    if not isinstance(model, keras.Sequential) or "/" in layer:
        return even
    step, start, size = 1, 0.0, length
    for one in model.layers:
        window = getattr(one, "kernel_size", None) or getattr(one, "pool_size", None)
        if window is not None:
            reach = (window[axis] - 1) * getattr(one, "dilation_rate", (1, 1))[axis] + 1
            stride = one.strides[axis]
            after = -(-size // stride) if one.padding == "same" else (size - reach) // stride + 1
            before = max((after - 1) * stride + reach - size, 0) // 2 if one.padding == "same" else 0
            start += step * ((reach - 1) / 2 - before)
            step, size = step * stride, after
        if one.name == layer:
            break
    return start + step * np.arange(count) if size == count else even
