"""Compiled programs, kept within a process.

Compiling costs as much as several epochs of a small network, and a run trains five to twelve times: a program is
compiled once and gets new weights by assignment.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mammoscan.learning.scaling import Scale

if TYPE_CHECKING:
    import keras

# Programs hold a model and its optimiser's state, so only some are kept.
_KEPT = 4


class ProgramKey(NamedTuple):
    """All that changes the compiled program; ``scale`` is None where features are read as they are."""

    network: str
    input_shape: tuple[int, ...]
    outputs: int
    optimizer: str
    loss: str
    scale: Scale | None
    precision: str
    random_views: bool
    augmented: bool
    frozen: bool
    place: str
    deterministic: bool

    @property
    def dtype(self) -> str:
        """Of the stored images or features."""
        return "float32" if self.scale is None else "uint8"


class Program(Protocol):
    """A model, its optimiser, and the compiled functions that train and ask it."""

    model: keras.Model
    optimizer: keras.optimizers.Optimizer
    batch_size: int

    @property
    def variables(self) -> list[Any]:
        """All that the next batch depends on."""
        ...

    def reset(self, start: keras.Model, learning_rate: float) -> None:
        """Start anew with the weights and dropout seeds of ``start``."""
        ...

    def train(
        self,
        images: Any,
        index: NDArray[np.int32],
        targets: NDArray[np.int32],
        weights: NDArray[np.float32],
        views: NDArray[np.int32],
        warps: NDArray[np.float32],
        batch_size: int,
    ) -> tuple[float, float, int, float]:
        """Learn from batches of images, the last of which may be smaller.

        Args:
            images: Images or features, a tensor on the device.
            index: Where each place of the order lies in ``images``.
            targets: Label at each place.
            weights: Weight in the loss at each place.
            views: View at each place.
            warps: How the image at each place is bent; no rows where none is.
            batch_size: Places that share one step.

        Returns:
            The sum of the losses, the number of right answers, the number of batches done and the last batch's
            loss; it ends with the first loss that is not finite.
        """
        ...

    def predict(self, images: Any, index: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the probabilities of images by their places."""
        ...


_idle: dict[ProgramKey, Program] = {}
_lock = Lock()


def lease_program(key: ProgramKey, build: Callable[[ProgramKey], Program]) -> Program:
    """Take an idle program out of the pool, or build one: two trainings never share one at a time."""
    with _lock:
        program = _idle.pop(key, None)
    return build(key) if program is None else program


def return_program(key: ProgramKey, program: Program) -> None:
    """Put a program back; the one that waited longest makes room."""
    with _lock:
        _idle[key] = program
        while len(_idle) > _KEPT:
            del _idle[next(iter(_idle))]


def choose_prediction_batch(input_shape: tuple[int, ...], wanted: int = 64) -> int:
    """Return a batch whose maps stay within some hundred megabytes, whatever the size of an image."""
    return max(1, min(wanted, 2**22 // int(np.prod(input_shape))))
