"""A network's outputs: their loss, whether the likeliest label is the true one, and probabilities of all labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

# What a network's outputs are: probabilities of labels that exclude each other; one number; probabilities of findings,
# any of which may be there.
Task = Literal["classes", "numbers", "findings"]
# The name of the last layer says what its outputs are, also in a packaged model.
OUTPUT_LAYERS: dict[Task, str] = {"classes": "probabilities", "numbers": "number", "findings": "findings"}

# They take targets [n] and the network's outputs [n, outputs], and return one value per image.
PerSampleLoss = Callable[[Any, Any], Any]
PerSampleMatch = Callable[[Any, Any], Any]


def build_loss(
    name: str, outputs: int, label_smoothing: float = 0.0, task: Task = "classes"
) -> PerSampleLoss:
    """Return the loss of each image.

    Args:
        name: ``auto`` and ``crossentropy`` look at the probability of the true label; ``binary_crossentropy``
            treats each output by itself and takes the mean. Of numbers ``auto`` is the squared error.
        outputs: The network's: one sigmoid for two labels, or a softmax over all.
        label_smoothing: Share of the target that is spread evenly over all labels.
        task: What the outputs are.
    """
    if task == "numbers":
        return _build_number_loss(name)
    if task == "findings":
        return _lose_findings
    import keras
    from keras import ops

    more = {"label_smoothing": label_smoothing, "reduction": "none"}
    focal = name == "focal"
    binary = (
        keras.losses.BinaryFocalCrossentropy(**more) if focal else keras.losses.BinaryCrossentropy(**more)
    )
    sparse = keras.losses.SparseCategoricalCrossentropy(reduction="none")
    whole = (
        keras.losses.CategoricalFocalCrossentropy(**more)
        if focal
        else keras.losses.CategoricalCrossentropy(**more)
    )

    # A function with a name: Keras warns of a lambda wherever a callback saves the model that is compiled with it.
    def loss_of(targets: Any, found: Any) -> Any:
        targets = ops.reshape(targets, (-1,))
        if outputs == 1:
            return binary(ops.expand_dims(ops.cast(targets, found.dtype), 1), found)
        if name == "binary_crossentropy":
            return binary(ops.one_hot(targets, outputs, dtype=found.dtype), found)
        if focal or label_smoothing:
            return whole(ops.one_hot(targets, outputs, dtype=found.dtype), found)
        return sparse(targets, found)

    return loss_of


def _build_number_loss(name: str) -> PerSampleLoss:
    from keras import ops

    def lose_numbers(targets: Any, found: Any) -> Any:
        error = ops.reshape(found, (-1,)) - ops.cast(ops.reshape(targets, (-1,)), found.dtype)
        if name != "huber":
            return ops.square(error)
        size = ops.abs(error)
        return ops.where(size < 1, ops.square(error) / 2, size - 0.5)

    return lose_numbers


def _lose_findings(targets: Any, found: Any) -> Any:
    """Return the mean cross-entropy of an image's findings; one that nobody looked for is NaN and does not count."""
    from keras import ops

    targets = ops.cast(targets, found.dtype)
    known = ops.cast(targets == targets, found.dtype)
    truth = ops.where(targets == targets, targets, ops.zeros_like(targets))
    shares = ops.clip(found, 1e-7, 1 - 1e-7)
    losses = -(truth * ops.log(shares) + (1 - truth) * ops.log(1 - shares))
    return ops.sum(known * losses, axis=-1) / ops.maximum(ops.sum(known, axis=-1), 1)


def build_accuracy(outputs: int, task: Task = "classes") -> PerSampleMatch:
    """Return the function that says for each image whether the likeliest label is the true one.

    Of findings it is the share that is right at even odds; numbers have none, it is 0.
    """
    from keras import ops

    if task == "numbers":

        def count_none(_targets: Any, found: Any) -> Any:
            return ops.zeros_like(ops.reshape(found, (-1,)))

        return count_none
    if task == "findings":

        def share_right(targets: Any, found: Any) -> Any:
            targets = ops.cast(targets, found.dtype)
            known = ops.cast(targets == targets, found.dtype)
            right = ops.cast((found > 0.5) == (targets > 0.5), found.dtype)
            return ops.sum(known * right, axis=-1) / ops.maximum(ops.sum(known, axis=-1), 1)

        return share_right

    def is_correct(targets: Any, found: Any) -> Any:
        if outputs == 1:
            predicted = ops.cast(ops.reshape(found, (-1,)) > 0.5, "int32")
        else:
            predicted = ops.cast(ops.argmax(found, axis=1), "int32")
        return predicted == ops.cast(ops.reshape(targets, (-1,)), "int32")

    return is_correct


def read_task(model: keras.Model) -> Task:
    """Return what a network's outputs are, by the name of its last layer; one of another name gives probabilities."""
    name = model.layers[-1].name
    return next((task for task, layer in OUTPUT_LAYERS.items() if layer == name), "classes")


def count_answers(model: keras.Model) -> int:
    """Return how many columns a network's answer has."""
    width = int(model.output_shape[-1])
    return max(2, width) if read_task(model) == "classes" else width


def expand_probabilities(found: NDArray[np.floating], task: Task = "classes") -> NDArray[np.float32]:
    """Return a probability for each label, ``[n, labels]``: a lone output is that of the second of two."""
    values = np.asarray(found, np.float32)
    return (
        values if values.shape[-1] > 1 or task != "classes" else np.concatenate([1 - values, values], axis=-1)
    )


def expand_tensor(found: Any, task: Task = "classes") -> Any:
    """Do what ``expand_probabilities`` does to a tensor."""
    from keras import ops

    found = ops.cast(found, "float32")
    return found if found.shape[-1] > 1 or task != "classes" else ops.concatenate([1 - found, found], axis=-1)
