"""Several networks of one architecture as one: the mean of their logits, or of their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mammoscan.models.outputs import OUTPUT_LAYERS, Task, read_task

if TYPE_CHECKING:
    import keras

_NAME = "member_"
# Below float32's resolution of a probability near 1, so that a logit is never infinite.
_SMALLEST = 1e-7


def combine_members(members: Sequence[keras.Model]) -> keras.Model:
    """Return one network that gives the probabilities of its members' mean logits; of numbers their mean.

    Args:
        members: Networks with the same input and outputs. They become parts of the new one.
    """
    import keras

    image = keras.Input(members[0].input_shape[1:], name="image")
    task, logits = read_task(members[0]), []
    for number, member in enumerate(members):
        member.name = f"{_NAME}{number}"
        found = member(image)
        logits.append(found if task == "numbers" else _find_logits(found, task))
    if task == "numbers":
        numbers = keras.layers.Average(name=OUTPUT_LAYERS[task], dtype="float32")(logits)
        return keras.Model(image, numbers, name="ensemble")
    mean = keras.layers.Average(name="mean_logits", dtype="float32")(logits)
    kind = "sigmoid" if task == "findings" or members[0].output_shape[-1] == 1 else "softmax"
    outputs = keras.layers.Activation(kind, dtype="float32", name=OUTPUT_LAYERS[task])(mean)
    model = keras.Model(image, outputs, name="ensemble")
    # Keras numbers them through the process; equal architectures, which share compiled functions, need equal names.
    for number, operation in enumerate(model.operations):
        if not isinstance(operation, keras.layers.Layer):
            operation.name = f"{type(operation).__name__.lower()}_{number}"
    return model


def list_members(model: keras.Model) -> list[keras.Model]:
    """Return the networks that ``model`` combines, or itself alone."""
    return [layer for layer in model.layers if layer.name.startswith(_NAME)] or [model]


def _find_logits(probabilities: Any, task: Task) -> Any:
    from keras import ops

    found = ops.clip(ops.cast(probabilities, "float32"), _SMALLEST, 1 - _SMALLEST)
    alone = task == "findings" or found.shape[-1] == 1
    return ops.log(found) - ops.log(1 - found) if alone else ops.log(found)
