"""One training, in the terms of every engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mammoscan.learning.devices import Device
from mammoscan.learning.scaling import Scale, choose_scale
from mammoscan.learning.schedule import draw_order, draw_views
from mammoscan.learning.warps import NUMBERS, draw_warps
from mammoscan.networks import build_network
from mammoscan.studies import Recipe

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
