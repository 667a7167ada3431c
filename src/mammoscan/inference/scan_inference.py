"""A network's probabilities at every place of a whole scan.

A network for windows is split so that it reads the whole scan and predicts all its windows at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from mammoscan.imaging.crops import cut_scales
from mammoscan.imaging.peaks import pick_peaks
from mammoscan.imaging.views import N_VIEWS, invert_view
from mammoscan.inference.predict import predict_probabilities
from mammoscan.models.outputs import expand_probabilities
from mammoscan.models.preprocessing import Scale, choose_scale, scale_tensor
from mammoscan.params import MachineParams, Recipe, ViewParams
from mammoscan.training.devices import choose_device

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


_WINDOWS = 1024


class _Reader(NamedTuple):
    """A compiled forward pass over a scan, given the margins of its map that see only black; see ``ScanNetwork``."""

    forward: Callable[..., Any]
    reach: int
    step: int


_readers: WeakKeyDictionary[Any, dict[Any, _Reader | None]] = WeakKeyDictionary()


class ScanMap(NamedTuple):
    """The probabilities of the windows around many places of a scan.

    Attributes:
        probabilities: float32 ``[rows, columns, labels]``; NaN where the place is not in the breast.
        rows: Rows of the places, in grid pixels from the top, naming edges between pixels as windows' centres do.
        columns: Their columns, from the left.
    """

    probabilities: NDArray[np.float32]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


def map_scan(
    model: keras.Model,
    grid: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    stride: int = 8,
    *,
    recipe: Recipe,
    views: ViewParams,
    machine: MachineParams | None = None,
    convolve: bool = True,
    others: Sequence[NDArray[np.uint8]] = (),
) -> ScanMap:
    """Predict the windows around all places of a scan's breast.

    Args:
        model: Windows in, probabilities out.
        grid: The standardised scan, uint8 ``[h, w]`` or ``[h, w, C]``. A window beyond its border sees 0 there, as
            in training.
        mask: The breast, bool ``[h, w]``.
        stride: Grid pixels from one place to the next.
        recipe: Its ``scale`` is how the model's windows were scaled.
        views: ``prediction`` averages the probabilities of a window's eight views.
        machine: On what it is computed.
        convolve: Whether the scan is read as a whole where that is exact; otherwise window by window, which gives
            the same numbers many times slower.
        others: The scan on finer and coarser grids, whose windows are the network's further channels. Windows of
            several scales do not shift by the same number of pixels, so such a scan is read window by window.

    Returns:
        The map, over the whole grid.
    """
    machine = machine or MachineParams()
    grid = grid[..., None] if grid.ndim == 2 else grid
    rows, columns = (np.arange(0, side + 1, stride) for side in grid.shape[:2])
    inside = mask[np.ix_(np.minimum(rows, mask.shape[0] - 1), np.minimum(columns, mask.shape[1] - 1))]
    outputs = max(2, model.output_shape[-1])
    found = np.full((*inside.shape, outputs), np.nan, np.float32)
    if not inside.any():
        return ScanMap(found, rows, columns)
    reader = _prepare(model, choose_scale(recipe), stride) if convolve and not others else None
    if reader is None:
        channels = [*np.moveaxis(grid, -1, 0), *others]
        found[inside] = _predict_windows(model, channels, rows, columns, inside, recipe, views, machine)
    else:
        part = _find_box(inside)
        box, known = (
            _cut_box(image, rows[part[0]], columns[part[1]], model.input_shape[1])
            for image in (grid, np.ones(grid.shape[:2], bool))
        )
        with _on_device(machine):
            predicted = _predict_views(reader, box, known, N_VIEWS if views.prediction else 1)
        found[part] = np.where(inside[part][..., None], predicted, np.nan)
    return ScanMap(found, rows, columns)


class Peak(NamedTuple):
    """A place of a map that stands out, in grid pixels from the upper left corner."""

    row: int
    column: int
    probability: float


def find_peaks(found: ScanMap, label: int, distance: float, limit: int) -> list[Peak]:
    """List the highest places of a map, the highest first, no two nearer to each other than ``distance``.

    Args:
        found: The map.
        label: Index of the label that is looked for.
        distance: In grid pixels; half a window's side is usual.
        limit: Maximum number.
    """
    values = found.probabilities[..., label]
    return [
        Peak(int(found.rows[i]), int(found.columns[j]), float(values[i, j]))
        for i, j in pick_peaks(values, found.rows, found.columns, distance, limit)
    ]


def _prepare(model: keras.Model, scale: Scale, stride: int) -> _Reader | None:
    """Return what reads a whole scan, or None where that is not exact; networks keep theirs."""
    known = _readers.setdefault(model, {})
    if (scale, stride) not in known:
        parted = convolve_network(model, stride)
        known[scale, stride] = parted and _Reader(_compile(parted, scale), parted.reach, parted.step)
    return known[scale, stride]


def _compile(parted: ScanNetwork, scale: Scale) -> Callable[..., Any]:
    import keras
    from keras import ops

    pad: Callable[..., Any] = ops.pad

    def forward(image: Any, margins: Any) -> Any:
        # Where only black is seen the map is the same everywhere, so it is computed for one place.
        black = ops.zeros((1, parted.reach, parted.reach, image.shape[-1]), "uint8")
        nothing, features = (
            parted.body(scale_tensor(part, scale), training=False) for part in (black, image)
        )
        whole = pad(features - nothing, margins) + nothing
        return ops.cast(parted.head(whole, training=False), "float32")

    if keras.config.backend() != "tensorflow":
        return lambda image, margins: forward(image, margins.tolist())
    import tensorflow as tf

    pad, channels = tf.pad, parted.body.input_shape[-1]
    # Breasts differ in size: without open sides every scan would be traced anew.
    return tf.function(
        forward,
        input_signature=[
            tf.TensorSpec((1, None, None, channels), tf.uint8),
            tf.TensorSpec((4, 2), tf.int32),
        ],
    )


def _predict_views(
    reader: _Reader, box: NDArray[np.uint8], known: NDArray[np.bool_], views: int
) -> NDArray[np.float32]:
    """Return the mean of the views' maps, each turned back."""
    total: Any = 0
    for k in range(views):
        total = total + _turn(_predict_view(reader, _turn(box, k), _turn(known, k)), invert_view(k))
    return expand_probabilities(total / views)


def _predict_view(reader: _Reader, box: NDArray[np.uint8], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return one view's map; what lies beyond the scan is read only as far as the scan is seen beside it."""
    from keras import ops

    margins = np.zeros((4, 2), np.int32)
    parts = []
    for axis in (0, 1):
        lines = np.flatnonzero(known.any(axis=1 - axis))
        count = (box.shape[axis] - reader.reach) // reader.step + 1
        before = max(0, (lines[0] - reader.reach) // reader.step + 1)
        after = max(0, count - -(-(lines[-1] + 1) // reader.step))
        margins[1 + axis] = before, after
        parts.append(slice(before * reader.step, (count - after - 1) * reader.step + reader.reach))
    return ops.convert_to_numpy(reader.forward(box[tuple(parts)][None], margins))[0]


def _turn(image: NDArray, k: int) -> NDArray:
    """Return view ``k`` of an image that need not be square."""
    turned = np.rot90(image, k % 4)
    return np.ascontiguousarray(turned[:, ::-1] if k >= 4 else turned)


def _find_box(inside: NDArray[np.bool_]) -> tuple[slice, slice]:
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _cut_box(image: NDArray, rows: NDArray[np.int64], columns: NDArray[np.int64], size: int) -> NDArray:
    """Cut the part that the windows around some places cover, 0 beyond the border."""
    padded = np.pad(image, [(size // 2, size)] * 2 + [(0, 0)] * (image.ndim - 2))
    return padded[rows[0] : rows[-1] + size, columns[0] : columns[-1] + size]


def _predict_windows(
    model: keras.Model,
    channels: Sequence[NDArray[np.uint8]],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    inside: NDArray[np.bool_],
    recipe: Recipe,
    views: ViewParams,
    machine: MachineParams,
) -> NDArray[np.float32]:
    at_rows, at_columns = np.nonzero(inside)
    parts = []
    for first in range(0, len(at_rows), _WINDOWS):
        part = slice(first, first + _WINDOWS)
        windows = cut_scales(
            channels, rows[at_rows[part]], columns[at_columns[part]], model.input_shape[1], len(channels[0])
        )
        parts.append(
            predict_probabilities(
                model, windows, np.arange(len(windows)), recipe=recipe, views=views, machine=machine
            )
        )
    return expand_probabilities(np.concatenate(parts))


def _on_device(machine: MachineParams) -> Any:
    import keras

    return keras.device(choose_device(machine).place.lstrip("/").lower())
