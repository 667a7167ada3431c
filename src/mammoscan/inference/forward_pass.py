"""The forward pass from stored images to outputs, compiled once for all networks of one architecture."""

from __future__ import annotations

import json
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mammoscan.imaging.views import N_VIEWS
from mammoscan.models.outputs import count_answers, expand_probabilities, expand_tensor, read_task
from mammoscan.models.preprocessing import Scale, scale_tensor
from mammoscan.training.augmentation import AugmentationKind, warp_tensor

if TYPE_CHECKING:
    import keras


ForwardPass = Callable[[NDArray], NDArray[np.float32]]

_KEPT = 8
_compiled: dict[tuple[str, ForwardOptions, str], Callable[..., Any]] = {}
_lock = Lock()


class ForwardOptions(NamedTuple):
    """What is done to images on their way into a network, and what is averaged.

    Attributes:
        scale: None where features are read as they are.
        average_views: Whether the prediction is the mean over the eight views.
        average_augmentations: The kind of the augmentations whose mean it is, if it is one.
    """

    scale: Scale | None
    average_views: bool = False
    average_augmentations: AugmentationKind | None = None


def compile_forward_pass(
    model: keras.Model,
    options: ForwardOptions,
    place: str,
    tables: NDArray[np.int32] | None = None,
    warps: NDArray[np.float32] | None = None,
) -> ForwardPass:
    """Return this model's forward pass; networks of one architecture share a compiled function, whatever their weights.

    Args:
        model: Scaled images, or features, in.
        options: What is done to them first, and what is averaged.
        place: The backend's name of the device.
        tables: Look-up tables of the eight views, if they are averaged.
        warps: The augmentations, if they are averaged.
    """
    import keras

    backend = keras.config.backend()
    if backend not in ("tensorflow", "jax"):
        return lambda images: _run_keras(model, images, options, tables, warps)
    key = (describe_architecture(model), options, place)
    if backend == "jax":
        from mammoscan.training.devices import find_jax_device

        forward = _share(key, lambda: _compile_jax(model, options))
        return _bind_jax(
            forward,
            model,
            find_jax_device(place),
            tables if options.average_views else None,
            warps if options.average_augmentations else None,
        )
    import tensorflow as tf

    forward = _share(key, lambda: _compile_tensorflow(model, options))
    with tf.device(place):
        weights = [tf.convert_to_tensor(v.value) for v in model.trainable_variables]
        others = [tf.convert_to_tensor(v.value) for v in model.non_trainable_variables]
        more = [
            tf.constant(np.arange(0, dtype=np.int32) if tables is None else tables),
            tf.constant(np.arange(0, dtype=np.float32) if warps is None else warps),
        ]

    def run(images: NDArray) -> NDArray[np.float32]:
        with tf.device(place):
            return forward(weights, others, tf.constant(images), *more).numpy()

    return run


def _share(
    key: tuple[str, ForwardOptions, str], build: Callable[[], Callable[..., Any]]
) -> Callable[..., Any]:
    with _lock:
        forward = _compiled.pop(key, None)
        _compiled[key] = forward = build() if forward is None else forward
        while len(_compiled) > _KEPT:
            del _compiled[next(iter(_compiled))]
    return forward


def _compile_tensorflow(model: keras.Model, options: ForwardOptions) -> Callable[..., Any]:
    import keras
    import tensorflow as tf

    # A copy of its own, or the first model would live as long as the function.
    skeleton = keras.models.clone_model(model)
    outputs, task = count_answers(skeleton), read_task(skeleton)

    def forward(weights: Any, others: Any, images: Any, tables: Any, warps: Any) -> Any:
        def predict(shown: Any) -> Any:
            scaled = shown if options.scale is None else scale_tensor(shown, options.scale)
            found, _ = skeleton.stateless_call(weights, others, scaled, training=False)
            return expand_tensor(found, task)

        # One at a time: eight times the batch would take eight times the memory.
        def average(count: Any, show: Callable[[Any], Any]) -> Any:
            _, total = tf.while_loop(
                lambda k, _: k < count,
                lambda k, total: (k + 1, total + show(k)),
                (tf.constant(0), tf.zeros((tf.shape(images)[0], outputs))),
                shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, outputs])),
                parallel_iterations=1,
            )
            return total / tf.cast(count, tf.float32)

        def draw(shown: Any) -> Any:
            if not options.average_augmentations:
                return predict(shown)
            values = tf.cast(shown, tf.float32)
            return average(
                tf.shape(warps)[0],
                lambda d: predict(warp_tensor(values, warps[d], options.average_augmentations)),
            )

        if not options.average_views:
            return draw(images)
        shape = tf.shape(images)
        flat = tf.reshape(images, (shape[0], -1, shape[3]))
        size = images.shape[1:]

        def turn(k: Any) -> Any:
            return tf.ensure_shape(tf.reshape(tf.gather(flat, tables[k], axis=1), shape), [None, *size])

        return average(tf.constant(N_VIEWS), lambda k: draw(turn(k)))

    # None for the batch, so that a smaller last one does not trace anew.
    return tf.function(forward, autograph=False, reduce_retracing=True)


def _run_keras(
    model: keras.Model,
    images: NDArray,
    options: ForwardOptions,
    tables: NDArray[np.int32] | None,
    warps: NDArray[np.float32] | None,
) -> NDArray[np.float32]:
    shown = [images]
    if options.average_views and tables is not None:
        flat = images.reshape(len(images), -1, images.shape[-1])
        shown = [flat[:, table].reshape(images.shape) for table in tables]
    if options.average_augmentations and warps is not None:
        shown = [
            np.asarray(warp_tensor(view.astype(np.float32), warp, options.average_augmentations))
            for view in shown
            for warp in warps
        ]
    if options.scale is not None:
        shown = [np.asarray(scale_tensor(view, options.scale)) for view in shown]
    found = [expand_probabilities(model.predict_on_batch(view), read_task(model)) for view in shown]
    return np.mean(found, axis=0, dtype=np.float32)


def _compile_jax(model: keras.Model, options: ForwardOptions) -> Callable[..., Any]:
    """Return the forward pass of networks of one architecture, for one view of some images.

    It takes trainable and other variables, images, the view's look-up table or None, and one augmentation or None.
    """
    import jax
    import keras
    from jax import numpy as jnp

    # A copy of its own, or the first model would live as long as the function.
    skeleton = keras.models.clone_model(model)
    task = read_task(skeleton)

    def forward(weights: Any, others: Any, images: Any, table: Any, warp: Any) -> Any:
        shown = images
        if table is not None:
            flat = images.reshape(len(images), -1, images.shape[-1])
            shown = jnp.take(flat, table, axis=1).reshape(images.shape)
        if warp is not None:
            # Keras' map under JAX wants one for each image.
            warps = jnp.broadcast_to(warp, (len(images), len(warp)))
            shown = warp_tensor(shown.astype("float32"), warps, options.average_augmentations)
        scaled = shown if options.scale is None else scale_tensor(shown, options.scale)
        found, _ = skeleton.stateless_call(weights, others, scaled, training=False)
        return expand_tensor(found, task)

    return jax.jit(forward)


def _bind_jax(
    forward: Callable[..., Any],
    model: keras.Model,
    device: Any,
    tables: NDArray[np.int32] | None,
    warps: NDArray[np.float32] | None,
) -> Callable[[NDArray], NDArray[np.float32]]:
    """Return one model's forward pass, averaged over its views and augmentations.

    Args:
        forward: What ``_compile_jax`` returned.
        model: Whose weights are taken, as they are now.
        device: Where it is computed.
        tables: Look-up tables of the eight views, if they are averaged.
        warps: The augmentations, if they are averaged.
    """
    import jax

    weights, others, views, placed_warps = jax.device_put(
        (
            [variable.value for variable in model.trainable_variables],
            [variable.value for variable in model.non_trainable_variables],
            [None] if tables is None else list(tables),
            [None] if warps is None else list(warps),
        ),
        device,
    )

    def run(images: NDArray) -> NDArray[np.float32]:
        # Powers of two, or every last batch of another size would be compiled anew.
        more = (1 << (len(images) - 1).bit_length()) - len(images)
        placed = jax.device_put(np.pad(images, [(0, more), *[(0, 0)] * (images.ndim - 1)]), device)
        # A loop of Python's: on a CPU, XLA computes convolutions within a loop of its own many times slower.
        total = sum(forward(weights, others, placed, view, warp) for view in views for warp in placed_warps)
        return np.asarray(total / (len(views) * len(placed_warps)))[: len(images)]

    return run


def describe_architecture(model: keras.Model) -> str:
    """Return what is equal for networks that can share a compiled function, whatever their weights."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            # Seeds and initialisers differ between folds, but say nothing about the graph.
            return {k: strip(v) for k, v in value.items() if k != "seed" and not k.endswith("_initializer")}
        return [strip(item) for item in value] if isinstance(value, list) else value

    return json.dumps(strip(json.loads(model.to_json())), sort_keys=True)
