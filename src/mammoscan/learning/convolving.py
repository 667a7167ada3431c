"""A network for windows, parted so that it can read a whole scan and answer for all its windows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import keras

_STEPWISE = ("Conv2D", "MaxPooling2D", "AveragePooling2D")
# They do to every place what they do to any other.
_PLACEWISE = ("Dense", "Dropout", "SpatialDropout2D", "Activation", "ReLU", "Softmax", "BatchNormalization")
_POOLED = {"GlobalAveragePooling2D": "AveragePooling2D", "GlobalMaxPooling2D": "MaxPooling2D"}


class ScanNetwork(NamedTuple):
    """A network for windows in two parts that follow each other, each for images of any size.

    Attributes:
        body: ``[N, H, W, C]`` in, a map of features out. What windows share is computed once.
        head: The map in, ``[N, rows, columns, outputs]`` out: place (i, j) is the window whose upper left pixel is
            (i * stride, j * stride).
        reach: Pixels that one place of the map sees, along a side.
        step: Pixels from one place of the map to the next.
    """

    body: keras.Model
    head: keras.Model
    reach: int
    step: int


def convolve_network(model: keras.Model, stride: int) -> ScanNetwork | None:
    """Part a network so that it gives for a whole scan what it gives for each window of it.

    It is exact for a chain of convolutions and poolings without padding: padded ones see a border around each
    window that a scan does not have.

    Args:
        model: Windows in, probabilities out.
        stride: Pixels from one window to the next.

    Returns:
        The parts, with the same weights. None where they would not be exact: for other networks, and where
        ``stride`` is no multiple of the network's own steps.
    """
    import keras

    if not isinstance(model, keras.Sequential):
        return None
    reach, step = 1, 1
    window: tuple[int, int] | None = None  # the map of one window, from a Flatten to the Dense that reads it
    body: list[tuple[Any, list[Any]]] = []
    head: list[tuple[Any, list[Any]]] = []
    for layer in model.layers:
        kind, weights = type(layer).__name__, layer.get_weights()
        before = not head and window is None
        if before and kind in _STEPWISE and layer.padding == "valid":
            if (size := _measure_side(layer)) is None:
                return None
            reach += (size - 1) * step
            step *= layer.strides[0]
            body.append((_copy(layer), weights))
        elif before and kind == "Flatten":
            window = layer.input.shape[1:3]
        elif before and kind in _POOLED:
            pool = getattr(keras.layers, _POOLED[kind])
            head.append((pool(layer.input.shape[1:3], max(1, stride // step), dtype=layer.dtype_policy), []))
        elif window is not None and kind == "Dense":
            weights[0] = weights[0].reshape(*window, -1, layer.units)
            head.append((_spread_dense(layer, window, max(1, stride // step)), weights))
            window = None
        elif kind == "Dropout" or (window is None and kind in _PLACEWISE):
            (head or body).append((_copy(layer), weights))
        else:
            return None
    if not (body and head) or stride % step:
        return None
    first = _chain(body, model.input_shape[-1])
    return ScanNetwork(first, _chain(head, first.output_shape[-1]), reach, step)


def _chain(parts: list[tuple[Any, list[Any]]], channels: int) -> keras.Model:
    import keras

    whole = keras.Sequential([keras.Input((None, None, channels)), *(layer for layer, _ in parts)])
    whole.set_weights([value for _, weights in parts for value in weights])
    return whole


def _spread_dense(layer: Any, window: tuple[int, int], stride: int) -> Any:
    """Return the convolution that does to every window of a map what a dense layer does to a flattened one."""
    import keras

    return keras.layers.Conv2D(
        layer.units,
        window,
        strides=stride,
        activation=layer.activation,
        use_bias=layer.use_bias,
        dtype=layer.dtype_policy,
    )


def _copy(layer: Any) -> Any:
    return type(layer).from_config(layer.get_config())


def _measure_side(layer: Any) -> int | None:
    """Return the pixels that a layer's window spans along each side; None where the sides differ."""
    size = getattr(layer, "kernel_size", None) or layer.pool_size
    dilation = getattr(layer, "dilation_rate", (1, 1))
    sides = {(size[axis], dilation[axis], layer.strides[axis]) for axis in (0, 1)}
    return (size[0] - 1) * dilation[0] + 1 if len(sides) == 1 else None
