"""The TensorFlow engine: an epoch is a loop inside one ``tf.function``.

The graphs of the TensorFlow engine: loops over batches that never leave the device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.models.backbones import set_frozen
from mammoscan.models.outputs import build_accuracy, expand_tensor
from mammoscan.models.preprocessing import scale_tensor
from mammoscan.training.augmentation import NUMBERS, tabulate_views, warp_tensor
from mammoscan.training.engines.compiled import (
    CompiledEngine,
    Places,
    Program,
    ProgramKey,
    choose_prediction_batch,
)
from mammoscan.training.optimizers import build_optimizer, reset_optimizer

if TYPE_CHECKING:
    import keras


def compile_training(model: keras.Model, optimizer: keras.optimizers.Optimizer, key: ProgramKey) -> Any:
    """Return the function that learns from batches of images; ``Program.train`` says what it takes and returns."""
    import tensorflow as tf

    width = int(model.output_shape[-1])
    loss_of, is_correct = key.build_loss(width), build_accuracy(width, key.task)
    tables = tf.constant(tabulate_views(*key.input_shape[:2])) if key.random_views else None

    def show(images: Any, views: Any, warps: Any) -> Any:
        if tables is not None:
            height, across, channels = key.input_shape
            flat = tf.reshape(images, (-1, height * across, channels))
            turned = tf.gather(flat, tf.gather(tables, views), batch_dims=1)
            images = tf.reshape(turned, (-1, height, across, channels))
        return (
            warp_tensor(tf.cast(images, tf.float32), warps, key.augmentation) if key.augmentation else images
        )

    def learn(images: Any, targets: Any, weights: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            probabilities = model(_scale(images, key), training=True)
            loss = tf.reduce_mean(weights * loss_of(targets, probabilities))
            for extra in model.losses:
                loss += extra
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss, tf.reduce_sum(tf.cast(is_correct(targets, probabilities), tf.float64))

    def run(
        images: Any, index: Any, targets: Any, weights: Any, views: Any, warps: Any, batch_size: Any
    ) -> Any:
        count = tf.size(index)

        def go_on(start: Any, _loss: Any, _correct: Any, _batches: Any, last: Any) -> Any:
            return (start < count) & tf.math.is_finite(last)

        def step(start: Any, loss: Any, correct: Any, batches: Any, last: Any) -> Any:
            end = tf.minimum(start + batch_size, count)
            batch = show(tf.gather(images, index[start:end]), views[start:end], warps[start:end])
            last, right = learn(batch, targets[start:end], weights[start:end])
            loss += tf.cast(last, tf.float64) * tf.cast(end - start, tf.float64)
            return end, loss, correct + right, batches + 1, last

        zero = tf.constant(0, tf.float64)
        _, *results = tf.while_loop(
            go_on,
            step,
            (tf.constant(0), zero, zero, tf.constant(0), tf.constant(0.0)),
            parallel_iterations=1,
        )
        return results

    places = tf.TensorSpec([None], tf.int32)
    return tf.function(
        run,
        input_signature=[
            tf.TensorSpec([None, *key.input_shape], key.dtype),
            places,
            places if key.task == "classes" else tf.TensorSpec([None, *key.target_shape], tf.float32),
            tf.TensorSpec([None], tf.float32),
            places,
            tf.TensorSpec([None, NUMBERS], tf.float32),
            tf.TensorSpec([], tf.int32),
        ],
        autograph=False,
    )


def compile_prediction(model: keras.Model, key: ProgramKey) -> Any:
    """Return the function that turns images, their places and a batch size into probabilities."""
    import tensorflow as tf

    def run(images: Any, index: Any, batch_size: Any) -> Any:
        count = tf.size(index)
        batches = (count + batch_size - 1) // batch_size

        def step(batch: Any, found: Any) -> Any:
            start = batch * batch_size
            part = tf.gather(images, index[start : tf.minimum(start + batch_size, count)])
            return batch + 1, found.write(
                batch, expand_tensor(model(_scale(part, key), training=False), key.task)
            )

        found = tf.TensorArray(tf.float32, batches, infer_shape=False, element_shape=[None, key.outputs])
        _, found = tf.while_loop(
            lambda batch, _: batch < batches, step, (tf.constant(0), found), parallel_iterations=1
        )
        return found.concat()

    return tf.function(
        run,
        input_signature=[
            tf.TensorSpec([None, *key.input_shape], key.dtype),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([], tf.int32),
        ],
        autograph=False,
    )


def _scale(images: Any, key: ProgramKey) -> Any:
    return images if key.scale is None else scale_tensor(images, key.scale)


class TensorFlowEngine(CompiledEngine):
    """Trains with TensorFlow."""

    name = "tensorflow"

    @staticmethod
    def _build_program(key: ProgramKey) -> Program:
        return TensorFlowProgram(key)

    def _place_array(self, images: NDArray) -> Any:
        import tensorflow as tf

        # Said here and not around it: images are also placed from a thread that reads ahead.
        with tf.device(self._setup.device.place):
            return tf.constant(images)


class TensorFlowProgram:
    """A model, its optimiser, and the graphs that train it and predict with it; see ``Program``."""

    def __init__(self, key: ProgramKey) -> None:
        """Build and trace nothing yet: a function is traced when it is first called."""
        import tensorflow as tf

        with tf.device(key.place):
            self.model = key.build_model()
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

    def train(self, images: Any, places: Places, batch_size: int) -> tuple[float, float, int, float]:
        """Learn from batches of images."""
        import tensorflow as tf

        with tf.device(self._place):
            loss, correct, batches, last = self._train(
                images, *(tf.constant(part) for part in places), tf.constant(batch_size)
            )
        return float(loss), float(correct), int(batches), float(last)

    def predict(self, images: Any, index: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the probabilities of images by their places."""
        import tensorflow as tf

        with tf.device(self._place):
            return self._predict(images, tf.constant(index), tf.constant(self.batch_size)).numpy()
