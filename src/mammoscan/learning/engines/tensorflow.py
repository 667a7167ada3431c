"""The TensorFlow engine: an epoch is a loop inside one ``tf.function``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.learning.engines.compiled import CompiledEngine
from mammoscan.learning.engines.graphs import compile_prediction, compile_training
from mammoscan.learning.engines.pool import Program, ProgramKey, choose_prediction_batch
from mammoscan.learning.optimizers import build_optimizer, reset_optimizer
from mammoscan.networks import build_network
from mammoscan.networks.backbones import set_frozen

if TYPE_CHECKING:
    import keras


class TensorFlowEngine(CompiledEngine):
    """Trains with TensorFlow."""

    name = "tensorflow"

    @staticmethod
    def _build_program(key: ProgramKey) -> Program:
        return TensorFlowProgram(key)

    def _place_array(self, images: NDArray) -> Any:
        import tensorflow as tf

        # Said here and not around it: images are also placed from a thread that reads ahead.
        with tf.device(self._job.device["place"]):
            return tf.constant(images)


class TensorFlowProgram:
    """A model, its optimiser, and the graphs that train and ask it; ``Program`` tells what each part does."""

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
        """Learn from batches of images."""
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
