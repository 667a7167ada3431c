"""What the outer loop asks of an engine.

One training, in the terms of every engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.models import build_network
from mammoscan.models.preprocessing import Scale, choose_scale
from mammoscan.params import Recipe
from mammoscan.training.augmentation import NUMBERS, draw_warps
from mammoscan.training.devices import Device
from mammoscan.training.sample_order import draw_order, draw_views

if TYPE_CHECKING:
    import keras


class Shown(NamedTuple):
    """What an epoch shows, place by place.

    Attributes:
        order: Positions within the training rows.
        views: The view, 0 to 7.
        warps: ``[places, 8]``, how each image is bent; no rows where none is.
    """

    order: NDArray[np.int64]
    views: NDArray[np.int32]
    warps: NDArray[np.float32]


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        pixels: uint8 ``[N, H, W, C]``, possibly memory-mapped; or float32 ``[N, D]``, features of a frozen backbone.
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
        batch_hooks: Keras callbacks that want to hear of every batch.
    """

    pixels: NDArray
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
    batch_hooks: tuple[keras.callbacks.Callback, ...] = ()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Height, width and channels of an image, or the number of features."""
        return self.pixels.shape[1:]

    @property
    def scale(self) -> Scale | None:
        """How images are scaled; None where features are read as they are."""
        return choose_scale(self.recipe) if len(self.input_shape) == 3 else None

    @property
    def starts_frozen(self) -> bool:
        """Whether a backbone is there and does not learn at first."""
        recipe = self.recipe
        return len(self.input_shape) == 3 and (recipe.freeze or recipe.phases is not None)

    def build_model(self, weights: str | None = None) -> keras.Model:
        """Build the recipe's network as it is before the first epoch.

        Args:
            weights: Replaces the recipe's, where they will be written over anyway.
        """
        network = self.recipe.network
        return build_network(
            network.name,
            self.input_shape,
            self.outputs,
            self.recipe.seed,
            precision=self.precision,
            weights=network.weights if weights is None else weights,
        )

    def draw_epoch(self, epoch: int) -> Shown:
        """Return what an epoch shows."""
        count, seed = len(self.training_rows), self.recipe.seed
        views = draw_views(seed, epoch, count) if self.random_views else np.zeros(count, np.int32)
        warps = np.empty((0, NUMBERS), np.float32)
        if self.recipe.augmentation is not None:
            warps = draw_warps(self.recipe.augmentation, seed, epoch, count, *self.input_shape[:2])
        return Shown(draw_order(seed, epoch, count), views, warps)


# Called with the epoch, its mean loss and its accuracy; what it returns says whether to stop.
EndEpoch = Callable[[int, float, float], bool]


class EngineError(MammoscanError):
    """A training that cannot go on."""


class Engine(Protocol):
    """An inner loop that owns a model and an optimiser between ``open`` and ``close``.

    It opens in the first phase of the job's recipe.
    """

    name: str

    @property
    def model(self) -> keras.Model:
        """The model that learns, compiled with its optimiser: what a callback is shown."""
        ...

    def enter_phase(self, frozen: bool, rate: float) -> None:
        """Go on with a fresh optimiser, and with the backbone frozen or not."""
        ...

    def run_epochs(self, first: int, last: int, end_epoch: EndEpoch) -> None:
        """Train from epoch ``first`` to ``last``, both included, until ``end_epoch`` says stop."""
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
