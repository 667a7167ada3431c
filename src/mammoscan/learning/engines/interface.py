"""What the outer loop asks of an engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.learning.devices import Device
from mammoscan.learning.schedule import draw_order, draw_views
from mammoscan.studies import Recipe

if TYPE_CHECKING:
    import keras

# Called with the epoch, its mean loss and its accuracy; what it returns says whether to stop.
EndEpoch = Callable[[int, float, float], bool]


class EngineError(MammoscanError):
    """A training that cannot go on."""


@dataclass(frozen=True)
class Job:
    """One training, in the terms of every engine.

    Attributes:
        pixels: uint8 ``[N, H, W, C]``, possibly memory-mapped.
        targets: ``[N]`` label of each sample.
        weights: ``[N]`` weight of each sample in the loss.
        training_rows: Positions to learn from.
        validation_rows: Positions to choose the epoch on; may be empty.
        outputs: Number of labels.
        recipe: What changes the trained weights.
        precision: ``float32`` or ``bfloat16``.
        random_views: Whether each image is shown in a view drawn anew in each epoch.
        device: Where to compute.
        deterministic: Whether equal input must give equal bits.
    """

    pixels: NDArray[np.uint8]
    targets: NDArray[np.int32]
    weights: NDArray[np.float32]
    training_rows: NDArray[np.int64]
    validation_rows: NDArray[np.int64]
    outputs: int
    recipe: Recipe
    precision: str
    random_views: bool
    device: Device
    deterministic: bool

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        height, width, channels = self.pixels.shape[1:]
        return height, width, channels

    def draw_epoch(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return an epoch's order (positions within the training rows) and the view of each place in it."""
        count = len(self.training_rows)
        views = (
            draw_views(self.recipe.seed, epoch, count)
            if self.random_views
            else np.zeros(count, dtype=np.int32)
        )
        return draw_order(self.recipe.seed, epoch, count), views


class Engine(Protocol):
    """An inner loop that owns a model and an optimiser between ``open`` and ``close``."""

    name: str

    def run_epochs(self, first: int, last: int, end_epoch: EndEpoch) -> None:
        """Train from epoch ``first`` to ``last``, both included, until ``end_epoch`` says stop."""
        ...

    def predict_validation(self) -> NDArray[np.float32]:
        """Return the probabilities of the validation rows under the present weights."""
        ...

    def read_weights(self) -> list[NDArray]:
        """Return the model's present weights."""
        ...

    def read_state(self) -> list[NDArray]:
        """Return all that the next epoch depends on: weights, dropout's seeds and the optimiser."""
        ...

    def write_state(self, state: list[NDArray]) -> None:
        """Go back to a state that ``read_state`` returned."""
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
