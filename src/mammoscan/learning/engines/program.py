"""Compiled TensorFlow programs, kept within a process.

Tracing costs as much as several epochs of a small network, and a run trains five to twelve times: a program is traced
once and gets new weights by assignment.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.learning.engines.graphs import ProgramKey, compile_prediction, compile_training
from mammoscan.learning.optimizers import build_optimizer, reset_optimizer
from mammoscan.networks import build_network
from mammoscan.networks.backbones import set_frozen

if TYPE_CHECKING:
    import keras

# Programs hold a model and its optimiser's state, so only some are kept.
_KEPT = 4
_idle: dict[ProgramKey, Program] = {}
_lock = Lock()


def lease_program(key: ProgramKey) -> Program:
    """Take an idle program out of the pool, or build one: two trainings never share one at a time."""
    with _lock:
        program = _idle.pop(key, None)
    return Program(key) if program is None else program


def return_program(key: ProgramKey, program: Program) -> None:
    """Put a program back; the one that waited longest makes room."""
    with _lock:
        _idle[key] = program
        while len(_idle) > _KEPT:
            del _idle[next(iter(_idle))]


class Program:
    """A model, its optimiser, and the compiled functions that train and ask it."""

    def __init__(self, key: ProgramKey) -> None:
        """Build and trace nothing yet: a function is traced when it is first called."""
        import tensorflow as tf

        with tf.device(key.place):
            self.model = build_network(key.network, key.input_shape, key.outputs, 0, precision=key.precision)
            if key.frozen:
                set_frozen(self.model, True)
            self.optimizer = build_optimizer(key.optimizer, self.model)
            self._train = compile_training(self.model, self.optimizer, key)
            self._predict = compile_prediction(self.model, key)
        self._place = key.place
        self.batch_size = choose_prediction_batch(key.input_shape)

    @property
    def variables(self) -> list[Any]:
        """All that the next batch depends on."""
        return [*self.model.variables, *self.optimizer.variables]

    def reset(self, start: keras.Model, learning_rate: float) -> None:
        """Start anew with the weights and dropout seeds of ``start``."""
        for mine, theirs in zip(self.model.variables, start.variables, strict=True):
            mine.assign(theirs)
        reset_optimizer(self.optimizer, learning_rate)

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
            loss; it stops at the first loss that is not finite.
        """
        import tensorflow as tf

        with tf.device(self._place):
            loss, correct, batches, last = self._train(
                images,
                tf.constant(index),
                tf.constant(targets),
                tf.constant(weights),
                tf.constant(views),
                tf.constant(warps),
                tf.constant(batch_size),
            )
        return float(loss), float(correct), int(batches), float(last)

    def predict(self, images: Any, index: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the probabilities of images by their places."""
        import tensorflow as tf

        with tf.device(self._place):
            return self._predict(images, tf.constant(index), tf.constant(self.batch_size)).numpy()


def choose_prediction_batch(input_shape: tuple[int, ...], wanted: int = 64) -> int:
    """Return a batch whose maps stay within some hundred megabytes, whatever the size of an image."""
    return max(1, min(wanted, 2**22 // int(np.prod(input_shape))))
