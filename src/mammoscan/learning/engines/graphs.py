"""The graphs of the TensorFlow engine: loops over batches that never leave the device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mammoscan.learning.scaling import Scale, scale_tensor
from mammoscan.learning.schedule import tabulate_views

if TYPE_CHECKING:
    import keras


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


def compile_training(model: keras.Model, optimizer: keras.optimizers.Optimizer, key: ProgramKey) -> Any:
    """Return the function that learns from batches of images; ``Program.train`` tells what it takes and gives."""
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


def compile_prediction(model: keras.Model, key: ProgramKey) -> Any:
    """Return the function that turns images, their places and a batch size into probabilities."""
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
