"""What goes on inside a trained network: the maps of one of its layers, beside what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from mammoscan.errors import MammoscanError

if TYPE_CHECKING:
    import keras

_ACTIVATIONS = ("softmax", "sigmoid")
# Opening a network up takes longer than asking it. What was built lives as long as its network.
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
            "use occlusion, which needs none"
        )
    return found


def open_network(model: keras.Model, layer: str) -> keras.Model:
    """Build a network that tells what one of its layers makes of an image.

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
    """Tell how strongly a network speaks for a label against all others.

    Near 0 and 1 probabilities hardly move. Log-odds do, so that sure answers can be explained too.

    Args:
        model: The network.
        tail: What enters its last layer.
        output: What it says.
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
            "functional one; use occlusion, which needs none"
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
