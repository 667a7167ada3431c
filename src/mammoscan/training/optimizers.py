"""Optimisers and their learning rate: the phases of a training, and cuts on a plateau."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mammoscan.errors import MammoscanError
from mammoscan.params import PlateauParams, Recipe
from mammoscan.training.early_stopping import read_monitor

if TYPE_CHECKING:
    import keras


# As Keras does it: less than this is no improvement.
_MIN_DELTA = 1e-4


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


class Phase(NamedTuple):
    """Epochs that share an optimiser.

    Attributes:
        first: Its first epoch, counted from 1.
        last: Its last epoch.
        frozen: Whether the backbone stays as it is.
        rate: The learning rate that it begins with.
    """

    first: int
    last: int
    frozen: bool
    rate: float


def list_phases(recipe: Recipe, epochs: int, starts_frozen: bool) -> list[Phase]:
    """Divide a training's epochs into its phases.

    Args:
        recipe: Says where the head alone learns, and at which rates.
        epochs: All of them.
        starts_frozen: Whether there is a backbone that does not learn at first.
    """
    if recipe.phases is None:
        return [Phase(1, epochs, starts_frozen, recipe.learning_rate)]
    head = min(recipe.phases.head_epochs, epochs)
    found = [Phase(1, head, starts_frozen, recipe.learning_rate)]
    if head < epochs:
        found.append(Phase(head + 1, epochs, False, recipe.phases.fine_rate))
    return found


@dataclass
class Plateau:
    """The memory of cuts in the learning rate, as Keras' ``ReduceLROnPlateau`` does them.

    Attributes:
        params: Patience, factor and floor.
        monitor: ``loss``, ``accuracy`` or ``auc``.
        best: The best value so far, turned so that larger is better.
        waited: Epochs since then, or since the last cut.
    """

    params: PlateauParams
    monitor: str
    best: float = -np.inf
    waited: int = 0

    def choose_rate(self, scores: dict[str, float], rate: float) -> float:
        """Take an epoch's scores; return the learning rate of the next."""
        value = read_monitor(self.monitor, scores)
        if value > self.best + _MIN_DELTA:
            self.best, self.waited = value, 0
            return rate
        self.waited += 1
        if self.waited < self.params.patience:
            return rate
        self.waited = 0
        # A rate that began below the floor stays where it is.
        return min(rate, max(rate * self.params.factor, self.params.floor))
