"""Explanations: where in an image the evidence for a label lies, by Grad-CAM or by occlusion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mammoscan.errors import MammoscanError
from mammoscan.imaging.views import N_VIEWS, invert_view, make_view
from mammoscan.models.ensemble import list_members
from mammoscan.models.preprocessing import Scale, scale_pixels

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


_ACTIVATIONS = ("softmax", "sigmoid")
# Building it takes longer than predicting with it. What was built lives as long as its network.
_opened: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


def find_last_convolution(model: keras.Model) -> str:
    """Find the convolution that is nearest to the output.

    Args:
        model: A Sequential or functional network, possibly with others nested in it.

    Returns:
        The layer's name; that of one in a nested network has the network's name and a slash before it.
    """
    found = _search_convolution(model)
    if found is None:
        raise MammoscanError(
            f"network {model.name}: found no convolution among its layers, expected one to explain by; "
            "set evaluation.explanation to occlusion, which needs none"
        )
    return found


def open_network(model: keras.Model, layer: str) -> keras.Model:
    """Build a network that also returns the output of one of its layers.

    Args:
        model: A Sequential or functional network, possibly with others nested in it.
        layer: Name of the layer; see ``find_last_convolution``.

    Returns:
        The same layers with the same weights: images in; the layer's output, what enters the last layer, and the
        network's own output out.
    """
    known = _opened.setdefault(model, {})
    if layer not in known:
        known[layer] = _open(model, layer)
    return known[layer]


def score_label(model: keras.Model, tail: Any, output: Any, label_index: Any) -> Any:
    """Return how strongly a network prefers a label to all others.

    Near 0 and 1 probabilities hardly move. Log-odds do, so that confident predictions can be explained too.

    Args:
        model: The network.
        tail: What enters its last layer.
        output: Its output.
        label_index: Index of the label for each image.

    Returns:
        The log-odds of the label, a tensor ``[N]``.
    """
    from keras import ops

    logits = _find_logits(model, tail, output)
    if logits.shape[-1] == 1:
        return logits[:, 0] * (2 * ops.cast(label_index, "float32") - 1)
    chosen = ops.one_hot(label_index, logits.shape[-1])
    others = ops.where(chosen > 0, -1e9, logits)
    return ops.sum(logits * chosen, axis=1) - ops.logsumexp(others, axis=1)


def _find_logits(model: keras.Model, tail: Any, output: Any) -> Any:
    from keras import ops

    last = model.layers[-1]
    known = getattr(getattr(last, "activation", None), "__name__", "") in _ACTIVATIONS
    if known and hasattr(last, "kernel"):
        logits = ops.matmul(ops.cast(tail, "float32"), ops.cast(last.kernel, "float32"))
        return logits if last.bias is None else logits + ops.cast(last.bias, "float32")
    if known or type(last).__name__ == "Softmax":
        return ops.cast(tail, "float32")
    # The last layer is none that is known by name, so only its probabilities are.
    limited = ops.clip(ops.cast(output, "float32"), 1e-7, 1 - 1e-7)
    return ops.log(limited / (1 - limited)) if output.shape[-1] == 1 else ops.log(limited)


def _search_convolution(model: keras.Model) -> str | None:
    import keras

    for layer in reversed(model.layers):
        if isinstance(layer, keras.Model):
            inner = _search_convolution(layer)
            if inner is not None:
                return f"{layer.name}/{inner}"
        elif type(layer).__name__.endswith("Conv2D"):
            return layer.name
    return None


def _open(model: keras.Model, path: str) -> keras.Model:
    import keras

    if not getattr(model, "outputs", None):
        raise MammoscanError(
            f"network {model.name}: found a {type(model).__name__} without a graph, expected a Sequential or "
            "functional one; set evaluation.explanation to occlusion, which needs none"
        )
    name, _, rest = path.partition("/")
    wanted, last = model.get_layer(name), model.layers[-1]
    inner = _open(wanted, rest) if rest else None
    caught: dict[str, Any] = {}

    def call(layer: Any, *args: Any, **words: Any) -> Any:
        if layer is last:
            caught["tail"] = args[0]
        if layer is not wanted:
            return layer(*args, **words)
        features, *_, output = inner(*args, **words) if inner else [layer(*args, **words)] * 2
        caught["features"] = features
        return output

    # The layers themselves are called anew: they keep their weights, and the network stays as it is.
    copy = keras.models.clone_model(
        keras.Model(model.inputs, model.outputs), clone_function=lambda layer: layer, call_function=call
    )
    # A list of one would make Keras warn whenever it is given a tensor.
    image = copy.inputs[0] if len(copy.inputs) == 1 else copy.inputs
    return keras.Model(image, [caught["features"], caught["tail"], copy.outputs[0]])


_MAX_BATCH = 32
# Bytes that one batch may hold, at four for each value of all maps: measured with DenseNet201, gradients included.
_BATCH_BYTES = 2**30


def explain_gradcam(
    model: keras.Model, scaled: NDArray[np.float32], label_index: int, layer: str | None = None
) -> NDArray[np.float32]:
    """Show where a network saw a label, by the gradients at one of its convolutions (Selvaraju et al. 2017).

    Args:
        model: Scaled images in, probabilities out: a softmax or one sigmoid.
        scaled: One image as the network takes it, ``[1, H, W, C]``.
        label_index: Index of the label that is explained.
        layer: Name of a convolution; None means the last one.

    Returns:
        float32 ``[H, W]``: 1 where most speaks for the label, 0 where nothing does; all 0 if nothing does anywhere.
    """
    return _normalise(_compute_gradcams(model, scaled, [label_index], layer))[0]


def explain_images(
    model: keras.Model,
    pixels: NDArray[np.uint8],
    label_indices: ArrayLike,
    *,
    scale: Scale,
    views: bool,
    layer: str | None = None,
    method: Literal["gradcam", "occlusion"] = "gradcam",
) -> NDArray[np.float32]:
    """Show where a network saw a label in each of many images, averaged over views as its predictions are.

    Args:
        model: Scaled images in, probabilities out.
        pixels: uint8 ``[N, H, W, C]``.
        label_indices: Index of the label that is explained, for each image.
        scale: How images are scaled for the network.
        views: Whether a prediction is the mean of the eight views; then so is the explanation.
        layer: Name of a convolution for Grad-CAM; None means the last one.
        method: ``gradcam``, or ``occlusion``, which needs no gradients and takes longer.

    Returns:
        float32 ``[N, H, W]``, each from 0 to 1.
    """
    wanted = np.asarray(label_indices, dtype=np.int64)
    found = np.zeros(pixels.shape[:3], np.float32)
    turns = [(row, k) for row in range(len(pixels)) for k in range(N_VIEWS if views else 1)]
    size = _choose_batch(model)
    for first in range(0, len(turns), size):
        part = turns[first : first + size]
        scaled = scale_pixels(np.stack([make_view(pixels[row], k) for row, k in part]), scale)
        labels = [int(wanted[row]) for row, _ in part]
        if method == "gradcam":
            maps = _compute_gradcams(model, scaled, labels, layer)
        else:
            falls = [
                explain_occlusion(model, scaled[[i]], label, batch_size=size)
                for i, label in enumerate(labels)
            ]
            maps = np.maximum(np.stack(falls), 0)
        for (row, k), one in zip(part, maps, strict=True):
            found[row] += make_view(one, invert_view(k))
    return _normalise(found)


def explain_occlusion(
    model: keras.Model,
    scaled: NDArray[np.float32],
    label_index: int,
    patch: int = 8,
    stride: int = 4,
    *,
    batch_size: int = 64,
) -> NDArray[np.float32]:
    """Show where an image must be seen for a network to say a label, by covering place after place.

    Args:
        model: Scaled images in, probabilities out: a softmax or one sigmoid.
        scaled: One image as the network takes it, ``[1, H, W, C]``.
        label_index: Index of the label that is explained.
        patch: Side of the square that is covered with the image's mean.
        stride: Pixels from one square to the next.
        batch_size: Covered images at a time, at most; memory grows with it.

    Returns:
        float32 ``[H, W]``: how far the label's probability falls when a place is covered, the mean of the squares
        over it; below 0 where it rises.
    """
    image = scaled[0]
    corners = [
        (top, left)
        for top in _list_starts(image.shape[0], patch, stride)
        for left in _list_starts(image.shape[1], patch, stride)
    ]
    before = _predict_label(model, scaled, label_index)[0]
    falls, covers = np.zeros(image.shape[:2]), np.zeros(image.shape[:2])
    for first in range(0, len(corners), batch_size):
        part = corners[first : first + batch_size]
        batch = np.repeat(scaled, len(part), axis=0)
        for covered, (top, left) in zip(batch, part, strict=True):
            covered[top : top + patch, left : left + patch] = image.mean(axis=(0, 1))
        for (top, left), after in zip(part, _predict_label(model, batch, label_index), strict=True):
            falls[top : top + patch, left : left + patch] += before - after
            covers[top : top + patch, left : left + patch] += 1
    return (falls / covers).astype(np.float32)


def _compute_gradcams(
    model: keras.Model, scaled: NDArray[np.float32], label_indices: Any, layer: str | None
) -> NDArray[np.float32]:
    """Return the maps ``[N, H, W]``, without anything below 0 but each on its own scale."""
    import keras

    if keras.config.backend() != "tensorflow":
        raise MammoscanError(
            f"Grad-CAM: found the backend {keras.config.backend()}, expected tensorflow; set KERAS_BACKEND=tensorflow "
            "or evaluation.explanation to occlusion"
        )
    import tensorflow as tf

    if len(members := list_members(model)) > 1:
        return np.mean(
            [_compute_gradcams(member, scaled, label_indices, layer) for member in members], axis=0
        )
    name = layer or find_last_convolution(model)
    opened = open_network(model, name)
    with tf.GradientTape() as tape:
        features, tail, output = opened(tf.convert_to_tensor(scaled), training=False)
        score = score_label(model, tail, output, tf.convert_to_tensor(label_indices))
    slopes = tf.cast(tape.gradient(score, features), tf.float32)
    weights = tf.reduce_mean(slopes, axis=(1, 2), keepdims=True)
    maps = tf.nn.relu(tf.reduce_sum(weights * tf.cast(features, tf.float32), axis=-1))
    return spread_maps(maps.numpy(), model, name, scaled.shape[1:3])


def _choose_batch(model: keras.Model) -> int:
    """Return how many images fit, given what all of a network's maps and their gradients take."""
    values = sum(
        int(np.prod([side or 1 for side in tensor.shape[1:]]))
        for layer in model._flatten_layers(include_self=False, recursive=True)
        for tensor in _list_outputs(layer)
    )
    return max(1, min(_MAX_BATCH, _BATCH_BYTES // (4 * max(1, values))))


def _list_outputs(layer: Any) -> list[Any]:
    try:
        found = layer.output
    except (AttributeError, ValueError):
        return []
    return list(found) if isinstance(found, list | tuple) else [found]


def _normalise(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    tops = maps.max(axis=(1, 2), keepdims=True)
    return (maps / np.where(tops > 0, tops, 1)).astype(np.float32)


def _list_starts(length: int, patch: int, stride: int) -> list[int]:
    """Return the starts of squares that cover a whole side; the last one ends where the image does."""
    last = max(0, length - patch)
    return sorted({*range(0, last + 1, stride), last})


def _predict_label(model: keras.Model, scaled: NDArray[np.float32], label_index: int) -> NDArray[np.float32]:
    from keras import ops

    found = ops.convert_to_numpy(model(scaled, training=False)).astype(np.float32)
    if found.shape[-1] == 1:
        return found[:, 0] if label_index == 1 else 1 - found[:, 0]
    return found[:, label_index]
