"""Networks by the name that a recipe gives."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mammoscan.errors import MammoscanError
from mammoscan.models.architectures import find_network
from mammoscan.models.backbones import Backbone, build_on_backbone
from mammoscan.models.outputs import OUTPUT_LAYERS, Task
from mammoscan.models.weights import place_weights
from mammoscan.params import NetworkParams

if TYPE_CHECKING:
    import keras


_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def build_network(
    name: str,
    input_shape: tuple[int, ...],
    outputs: int,
    seed: int,
    precision: str = "float32",
    weights: str = "none",
    task: Task = "classes",
) -> keras.Model:
    """Build a network with its initial weights.

    Args:
        name: One of ``list_networks()``.
        input_shape: Height, width and channels of an image; the number of features alone gives the head of a
            network with a backbone.
        outputs: Number of labels, or of findings; 1 for a number.
        seed: The same seed gives the same weights and the same dropout.
        precision: What the layers compute in, ``float32`` or ``bfloat16``; weights are float32 in both, and so
            is the last layer.
        weights: ``none``, ``imagenet`` or a file; what they do not hold is drawn from the seed.
        task: What the outputs are.

    Returns:
        The uncompiled model: scaled images in, probabilities out, one for each label or one alone for the second
        of two.
    """
    found = find_network(name)
    # Architectures know labels only; of another task the last layer is put in the place of that of two labels.
    labels = outputs if task == "classes" else 2
    if precision not in _POLICIES:
        raise MammoscanError(f"precision: found {precision!r}, expected one of {sorted(_POLICIES)}")
    policy = _POLICIES[precision]
    if isinstance(found, Backbone):
        model = build_on_backbone(name, found, input_shape, labels, seed, policy)
    else:
        height, width, channels = input_shape
        model = found((height, width, channels), labels, seed, policy)
    if len(input_shape) == 3:
        place_weights(model, NetworkParams(name=name, weights=weights))
    return model if task == "classes" else _replace_output(model, outputs, task)


def _replace_output(model: keras.Model, outputs: int, task: Task) -> keras.Model:
    """Return a network whose last layer gives a number or findings; it begins with the mean, or with even odds."""
    import keras

    layer = keras.layers.Dense(
        outputs,
        activation="linear" if task == "numbers" else "sigmoid",
        kernel_initializer="zeros",
        dtype="float32",
        name=OUTPUT_LAYERS[task],
    )
    return keras.Model(model.inputs, layer(model.layers[-1].input), name=model.name)


def load_model(path: Path) -> Any:
    """Return the Keras model in ``path``, uncompiled and without running code that the file may carry."""
    import keras

    return keras.saving.load_model(path, compile=False, safe_mode=True)
