"""The optimisers that a recipe names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mammoscan.errors import MammoscanError

if TYPE_CHECKING:
    import keras


def build_optimizer(name: str, model: keras.Model, learning_rate: float = 1e-3) -> keras.optimizers.Optimizer:
    """Build an optimiser with its slots for a model's weights."""
    import keras

    builders = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
    if name not in builders:
        raise MammoscanError(f"recipe.optimizer: found {name!r}, expected one of {sorted(builders)}")
    optimizer = builders[name](learning_rate)
    optimizer.build(model.trainable_variables)
    return optimizer


def reset_optimizer(optimizer: keras.optimizers.Optimizer, learning_rate: float) -> None:
    """Bring an optimiser back to its first step: Adam and SGD begin with all slots at zero."""
    for variable in optimizer.variables:
        variable.assign(np.zeros(variable.shape, variable.dtype))
    optimizer.learning_rate.assign(learning_rate)
