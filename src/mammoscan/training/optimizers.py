"""Optimisers and their learning rate: the phases of a training, and cuts on a plateau."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mammoscan.errors import MammoscanError
from mammoscan.params import PlateauParams, Recipe
from mammoscan.training.early_stopping import read_monitor

if TYPE_CHECKING:
    import keras


# As Keras does it: less than this is no improvement.
_MIN_DELTA = 1e-4


class OptimizerKind(NamedTuple):
    """What a recipe says of the optimiser besides its learning rate."""

    name: str
    weight_decay: float = 0.0
    ema: float | None = None


def read_optimizer(recipe: Recipe) -> OptimizerKind:
    """Return the recipe's optimiser; a weight decay belongs to AdamW alone."""
    return OptimizerKind(
        recipe.optimizer, recipe.weight_decay if recipe.optimizer == "adamw" else 0.0, recipe.ema
    )


def build_optimizer(
    kind: OptimizerKind, model: keras.Model, learning_rate: float = 1e-3
) -> keras.optimizers.Optimizer:
    """Build an optimiser with its slots for a model's weights."""
    import keras

    builders = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW, "sgd": keras.optimizers.SGD}
    if kind.name not in builders:
        raise MammoscanError(f"recipe.optimizer: found {kind.name!r}, expected one of {sorted(builders)}")
    more: dict[str, Any] = {"weight_decay": kind.weight_decay} if kind.name == "adamw" else {}
    if kind.ema is not None:
        more |= {"use_ema": True, "ema_momentum": kind.ema}
    optimizer = builders[kind.name](learning_rate, **more)
    optimizer.build(model.trainable_variables)
    return optimizer


def swap_average(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
    """Exchange a model's weights with their moving average; a second call brings them back."""
    if not optimizer.use_ema:
        return
    averages = optimizer._model_variables_moving_average
    for weight, average in zip(model.trainable_variables, averages, strict=True):
        present = np.array(weight)
        weight.assign(average)
        average.assign(present)


def reset_optimizer(optimizer: keras.optimizers.Optimizer, learning_rate: float) -> None:
    """Bring an optimiser back to its first step: all slots begin at zero, a moving average with the first step."""
    for variable in optimizer.variables:
        variable.assign(np.zeros(variable.shape, variable.dtype))
    optimizer.learning_rate.assign(learning_rate)


def list_rates(recipe: Recipe, epochs: int) -> list[float] | None:
    """Return the learning rate of each epoch by the recipe's cosine; None where it has none."""
    if recipe.cosine is None:
        return None
    import keras

    warmup = min(recipe.cosine.warmup, epochs - 1)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else recipe.learning_rate,
        max(1, epochs - warmup),
        recipe.cosine.floor,
        warmup_target=recipe.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    # With a warm-up the first epoch has risen by a step already: a rate of 0 would waste it.
    first = 1 if warmup else 0
    return [float(np.asarray(schedule(step))) for step in range(first, first + epochs)]


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
