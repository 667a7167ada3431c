"""Asking a trained network about some rows of the packed images."""

from __future__ import annotations

import json
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.imaging.views import N_VIEWS
from mammoscan.learning.blocks import read_rows
from mammoscan.learning.devices import choose_device
from mammoscan.learning.scaling import Scale, scale_tensor
from mammoscan.learning.schedule import tabulate_views
from mammoscan.studies import MachineParams, Recipe, ViewParams

if TYPE_CHECKING:
    import keras

# Maps of a batch must stay within some hundred megabytes, whatever the size of an image.
_BATCH_PIXELS = 2**22
_KEPT = 8
_compiled: dict[tuple[str, Scale, bool, str], Callable[..., Any]] = {}
_lock = Lock()


def predict_probabilities(
    model: keras.Model,
    pixels: NDArray[np.uint8],
    rows: NDArray[np.integer],
    *,
    recipe: Recipe,
    views: ViewParams,
    machine: MachineParams,
    batch_size: int = 256,
) -> NDArray[np.float32]:
    """Predict the probabilities of the labels.

    Args:
        model: Scaled images in, probabilities out.
        pixels: uint8 ``[N, H, W, C]``, possibly memory-mapped; read batch by batch.
        rows: Positions in ``pixels``.
        recipe: Its ``scale`` is how the model's images were scaled.
        views: ``prediction`` averages the probabilities of an image's eight views.
        machine: On what it is computed.
        batch_size: Images at a time, at most; memory grows with it.

    Returns:
        float32 ``[len(rows), labels]``.
    """
    rows = np.asarray(rows, dtype=np.int64).reshape(-1)
    device = choose_device(machine)
    shape = pixels.shape[1:]
    size = max(1, min(batch_size, _BATCH_PIXELS // int(np.prod(shape))))
    tables = tabulate_views(shape[0], shape[1]) if views.prediction else np.arange(0, dtype=np.int32)
    ask = _prepare(model, recipe.scale, views.prediction, device["place"])
    found = np.empty((len(rows), model.output_shape[-1]), np.float32)
    for first in range(0, len(rows), size):
        part = read_rows(pixels, rows[first : first + size])
        found[first : first + size] = ask(part, tables)
    return found


def _prepare(
    model: keras.Model, scale: Scale, eight: bool, place: str
) -> Callable[[NDArray[np.uint8], NDArray[np.int32]], NDArray[np.float32]]:
    """Return what asks this model; networks of one shape share a compiled function, whatever their weights."""
    import keras

    if keras.config.backend() != "tensorflow":
        return lambda images, tables: _ask_keras(model, images, tables, scale)
    import tensorflow as tf

    key = (_describe_architecture(model), scale, eight, place)
    with _lock:
        ask = _compiled.pop(key, None)
        _compiled[key] = ask = _compile(model, scale, eight) if ask is None else ask
        while len(_compiled) > _KEPT:
            del _compiled[next(iter(_compiled))]
    with tf.device(place):
        weights = [tf.convert_to_tensor(v.value) for v in model.trainable_variables]
        others = [tf.convert_to_tensor(v.value) for v in model.non_trainable_variables]

    def run(images: NDArray[np.uint8], tables: NDArray[np.int32]) -> NDArray[np.float32]:
        with tf.device(place):
            return ask(weights, others, tf.constant(images), tf.constant(tables)).numpy()

    return run


def _compile(model: keras.Model, scale: Scale, eight: bool) -> Callable[..., Any]:
    import keras
    import tensorflow as tf

    # A copy of its own, or the first model would live as long as the function.
    skeleton = keras.models.clone_model(model)

    def ask(weights: Any, others: Any, images: Any, tables: Any) -> Any:
        def predict(shown: Any) -> Any:
            found, _ = skeleton.stateless_call(weights, others, scale_tensor(shown, scale), training=False)
            return tf.cast(found, tf.float32)

        if not eight:
            return predict(images)
        shape = tf.shape(images)
        flat = tf.reshape(images, (shape[0], -1, shape[3]))

        # One view at a time: eight times the batch would take eight times the memory.
        def add(k: Any, total: Any) -> Any:
            return k + 1, total + predict(tf.reshape(tf.gather(flat, tables[k], axis=1), shape))

        outputs = int(skeleton.output_shape[-1])
        _, total = tf.while_loop(
            lambda k, _: k < N_VIEWS,
            add,
            (tf.constant(0), tf.zeros((shape[0], outputs))),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, outputs])),
            parallel_iterations=1,
        )
        return total / N_VIEWS

    # None for the batch, so that a smaller last one does not trace anew.
    return tf.function(ask, autograph=False, reduce_retracing=True)


def _ask_keras(
    model: keras.Model, images: NDArray[np.uint8], tables: NDArray[np.int32], scale: Scale
) -> NDArray[np.float32]:
    flat = images.reshape(len(images), -1, images.shape[-1])
    shown = [images] if len(tables) == 0 else [flat[:, table].reshape(images.shape) for table in tables]
    found = [np.asarray(model.predict_on_batch(np.asarray(scale_tensor(view, scale)))) for view in shown]
    return np.mean(found, axis=0, dtype=np.float32)


def _describe_architecture(model: keras.Model) -> str:
    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            # Seeds and initialisers differ between folds, but say nothing about the graph.
            return {k: strip(v) for k, v in value.items() if k != "seed" and not k.endswith("_initializer")}
        return [strip(item) for item in value] if isinstance(value, list) else value

    return json.dumps(strip(json.loads(model.to_json())), sort_keys=True)
