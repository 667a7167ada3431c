"""What the training loop needs of an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError

if TYPE_CHECKING:
    import keras


class EngineError(MammoscanError):
    """A training that cannot go on."""


class Engine(Protocol):
    """An inner loop that owns a model and an optimiser between ``open`` and ``close``.

    It opens in the first phase of the recipe.
    """

    name: str

    @property
    def model(self) -> keras.Model:
        """The model that learns, compiled with its optimiser: what callbacks are given."""
        ...

    def enter_phase(self, frozen: bool, rate: float) -> None:
        """Go on with a fresh optimiser, and with the backbone frozen or not."""
        ...

    def run_epoch(self, epoch: int) -> tuple[float, float]:
        """Train for one epoch, counted from 1; return its mean loss and its accuracy."""
        ...

    def predict_validation(self) -> NDArray[np.float32]:
        """Return a probability for each label of the validation rows under the present weights."""
        ...

    def read_rate(self) -> float:
        """Return the present learning rate."""
        ...

    def write_rate(self, rate: float) -> None:
        """Set the learning rate of the next batches."""
        ...

    def swap_average(self) -> None:
        """Exchange the weights with their moving average, where the recipe keeps one; a second call undoes it."""
        ...

    def read_weights(self) -> list[NDArray]:
        """Return the model's present weights."""
        ...

    def read_state(self) -> list[NDArray]:
        """Return all that the next epoch depends on: weights, dropout's seeds and the optimiser."""
        ...

    def write_state(self, state: list[NDArray]) -> None:
        """Go back to a state that ``read_state`` returned in the same phase."""
        ...

    def release_model(self, weights: list[NDArray]) -> keras.Model:
        """Return a model of its own with these weights."""
        ...

    def close(self) -> None:
        """Give back what the engine holds."""
        ...


def check_loss(loss: float, epoch: int, batch: int) -> None:
    """Refuse a loss that is not a number.

    Args:
        loss: The batch's loss.
        epoch: Counted from 1.
        batch: Counted from 1.
    """
    if not np.isfinite(loss):
        raise EngineError(
            f"training: the loss became {loss} in epoch {epoch}, batch {batch}, expected a finite number; "
            "lower recipe.learning_rate, or look at the images of that batch"
        )
