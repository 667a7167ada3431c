"""Compiled TensorFlow programs, kept within a process.

Tracing costs as much as several epochs of a small network, and a run trains five to twelve times: a program is traced
once and gets new weights by assignment.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mammoscan.learning.optimizers import build_optimizer, reset_optimizer
from mammoscan.learning.scaling import Scale, scale_tensor
from mammoscan.learning.schedule import tabulate_views
from mammoscan.networks import build_network

if TYPE_CHECKING:
    import keras

# Programs hold a model and its optimiser's state, so only some are kept.
_KEPT = 4
_idle: dict[ProgramKey, Program] = {}
_lock = Lock()


class ProgramKey(NamedTuple):
    """All that changes the traced graph."""

    network: str
    input_shape: tuple[int, int, int]
    outputs: int
    optimizer: str
    scale: Scale
    precision: str
    random_views: bool
    place: str
    deterministic: bool


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
            self.optimizer = build_optimizer(key.optimizer, self.model)
            self._train = _compile_training(self.model, self.optimizer, key)
            self._predict = _compile_prediction(self.model, key)
        self._place = key.place
        self.batch_size = choose_prediction_batch(key.input_shape)

    @property
    def variables(self) -> list[Any]:
        """All that the next batch depends on."""
        return [*self.model.variables, *self.optimizer.variables]

    def reset(self, fresh: keras.Model, learning_rate: float) -> None:
        """Start anew with the weights and dropout seeds of ``fresh``."""
        for mine, theirs in zip(self.model.variables, fresh.variables, strict=True):
            mine.assign(theirs)
        reset_optimizer(self.optimizer, learning_rate)

    def train(
        self,
        images: Any,
        index: NDArray[np.int32],
        targets: NDArray[np.int32],
        weights: NDArray[np.float32],
        views: NDArray[np.int32],
        batch_size: int,
    ) -> tuple[float, float, int, float]:
        """Learn from batches of images, the last of which may be smaller.

        Args:
            images: uint8 tensor on the device.
            index: Where each place of the order lies in ``images``.
            targets: Label at each place.
            weights: Weight in the loss at each place.
            views: View at each place.
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
                tf.constant(batch_size),
            )
        return float(loss), float(correct), int(batches), float(last)

    def predict(self, images: Any, index: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the probabilities of images by their places."""
        import tensorflow as tf

        with tf.device(self._place):
            return self._predict(images, tf.constant(index), tf.constant(self.batch_size)).numpy()


def choose_prediction_batch(input_shape: tuple[int, int, int], wanted: int = 64) -> int:
    """Return a batch whose maps stay within some hundred megabytes, whatever the size of an image."""
    return max(1, min(wanted, 2**22 // int(np.prod(input_shape))))


def _compile_training(model: keras.Model, optimizer: keras.optimizers.Optimizer, key: ProgramKey) -> Any:
    import keras
    import tensorflow as tf

    loss_of = keras.losses.SparseCategoricalCrossentropy(reduction="none")
    height, width, channels = key.input_shape
    tables = tf.constant(tabulate_views(height, width)) if key.random_views else None

    def show(images: Any, views: Any) -> Any:
        if tables is None:
            return images
        flat = tf.reshape(images, (-1, height * width, channels))
        turned = tf.gather(flat, tf.gather(tables, views), batch_dims=1)
        return tf.reshape(turned, (-1, height, width, channels))

    def learn(images: Any, targets: Any, weights: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            probabilities = model(scale_tensor(images, key.scale), training=True)
            loss = tf.reduce_mean(weights * loss_of(targets, probabilities))
            for extra in model.losses:
                loss += extra
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        right = tf.argmax(probabilities, axis=1, output_type=tf.int32) == targets
        return loss, tf.reduce_sum(tf.cast(right, tf.float64))

    def run(images: Any, index: Any, targets: Any, weights: Any, views: Any, batch_size: Any) -> Any:
        count = tf.size(index)

        def go_on(start: Any, _loss: Any, _correct: Any, _batches: Any, last: Any) -> Any:
            return (start < count) & tf.math.is_finite(last)

        def step(start: Any, loss: Any, correct: Any, batches: Any, last: Any) -> Any:
            end = tf.minimum(start + batch_size, count)
            batch = show(tf.gather(images, index[start:end]), views[start:end])
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
            tf.TensorSpec([None, *key.input_shape], tf.uint8),
            places,
            places,
            tf.TensorSpec([None], tf.float32),
            places,
            tf.TensorSpec([], tf.int32),
        ],
        autograph=False,
    )


def _compile_prediction(model: keras.Model, key: ProgramKey) -> Any:
    import tensorflow as tf

    def run(images: Any, index: Any, batch_size: Any) -> Any:
        count = tf.size(index)
        batches = (count + batch_size - 1) // batch_size

        def step(batch: Any, found: Any) -> Any:
            start = batch * batch_size
            part = tf.gather(images, index[start : tf.minimum(start + batch_size, count)])
            return batch + 1, found.write(batch, model(scale_tensor(part, key.scale), training=False))

        found = tf.TensorArray(tf.float32, batches, infer_shape=False, element_shape=[None, key.outputs])
        _, found = tf.while_loop(
            lambda batch, _: batch < batches, step, (tf.constant(0), found), parallel_iterations=1
        )
        return found.concat()

    return tf.function(
        run,
        input_signature=[
            tf.TensorSpec([None, *key.input_shape], tf.uint8),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([], tf.int32),
        ],
        autograph=False,
    )
