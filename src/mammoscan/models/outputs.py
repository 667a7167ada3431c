"""A network's outputs: their loss, whether the likeliest label is the true one, and probabilities of all labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# They take targets [n] and the network's outputs [n, outputs], and return one value per image.
PerSampleLoss = Callable[[Any, Any], Any]
PerSampleMatch = Callable[[Any, Any], Any]


def build_loss(name: str, outputs: int, label_smoothing: float = 0.0) -> PerSampleLoss:
    """Return the loss of each image.

    Args:
        name: ``auto`` and ``crossentropy`` look at the probability of the true label; ``binary_crossentropy``
            treats each output by itself and takes the mean.
        outputs: The network's: one sigmoid for two labels, or a softmax over all.
        label_smoothing: Share of the target that is spread evenly over all labels.
    """
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


def build_accuracy(outputs: int) -> PerSampleMatch:
    """Return the function that says for each image whether the likeliest label is the true one."""
    from keras import ops

    def is_correct(targets: Any, found: Any) -> Any:
        if outputs == 1:
            predicted = ops.cast(ops.reshape(found, (-1,)) > 0.5, "int32")
        else:
            predicted = ops.cast(ops.argmax(found, axis=1), "int32")
        return predicted == ops.cast(ops.reshape(targets, (-1,)), "int32")

    return is_correct


def expand_probabilities(found: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return a probability for each label, ``[n, labels]``: a lone output is that of the second of two."""
    values = np.asarray(found, np.float32)
    return values if values.shape[-1] > 1 else np.concatenate([1 - values, values], axis=-1)


def expand_tensor(found: Any) -> Any:
    """Do what ``expand_probabilities`` does to a tensor."""
    from keras import ops

    found = ops.cast(found, "float32")
    return found if found.shape[-1] > 1 else ops.concatenate([1 - found, found], axis=-1)
