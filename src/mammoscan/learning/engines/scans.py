"""The functions of the JAX engine: scans over the batches of an epoch, on images that never leave the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from mammoscan.learning.engines.pool import ProgramKey
from mammoscan.learning.heads import build_accuracy, build_loss, expand_tensor
from mammoscan.learning.scaling import scale_tensor
from mammoscan.learning.schedule import tabulate_views
from mammoscan.learning.warps import warp_tensor

if TYPE_CHECKING:
    import keras

# Where an epoch is one scan. On a CPU, XLA computes convolutions within a loop 16 times slower than outside: there
# the batches are handed in one by one.
SCANNED = ("gpu",)

# Takes the images, the state before a batch and what is told of the batch; gives the state after it and what was found.
Step = Callable[[Any, Any, Any], tuple[Any, Any]]


def compile_training(model: keras.Model, optimizer: keras.optimizers.Optimizer, key: ProgramKey) -> Any:
    """Return the function that learns from whole batches.

    It takes the images, the state (trainable variables, the others, the optimiser's), and for each batch what
    ``pool.Program`` tells of each place; it gives the new state, and each batch's loss and right answers.
    """
    import jax
    from jax import numpy as jnp

    width = int(model.output_shape[-1])
    loss_of, is_right = build_loss(key.loss, width), build_accuracy(width)
    tables = tabulate_views(*key.input_shape[:2]) if key.random_views else None

    def show(images: Any, views: Any, warps: Any) -> Any:
        if tables is not None:
            flat = images.reshape(len(images), -1, images.shape[-1])
            places = jnp.asarray(tables)[views]
            images = jnp.take_along_axis(flat, places[:, :, None], axis=1).reshape(images.shape)
        return warp_tensor(images.astype("float32"), warps) if key.augmented else images

    def judge(trainable: Any, others: Any, images: Any, targets: Any, weights: Any) -> Any:
        probabilities, others, extras = model.stateless_call(
            trainable, others, _scale(images, key), training=True, return_losses=True
        )
        loss = jnp.mean(weights * loss_of(targets, probabilities))
        for extra in extras:
            loss += extra
        return loss, (others, jnp.sum(is_right(targets, probabilities)))

    differentiate = jax.value_and_grad(judge, has_aux=True)

    def step(images: Any, state: Any, batch: Any) -> Any:
        trainable, others, slots = state
        index, targets, weights, views, warps = batch
        shown = show(_gather(images, index), views, warps)
        (loss, (others, right)), gradients = differentiate(trainable, others, shown, targets, weights)
        trainable, slots = optimizer.stateless_apply(slots, gradients, trainable)
        return (trainable, others, slots), (loss, right)

    return _repeat(step, key)


def compile_prediction(model: keras.Model, key: ProgramKey) -> Any:
    """Return the function that turns images, trainable and other variables, and places into probabilities."""

    def step(images: Any, state: Any, batch: Any) -> Any:
        shown = _scale(_gather(images, batch[0]), key)
        found, _ = model.stateless_call(*state, shown, training=False)
        return state, expand_tensor(found)

    return _repeat(step, key)


def _repeat(step: Step, key: ProgramKey) -> Callable[[Any, Any, Any], tuple[Any, Any]]:
    import jax

    kind = key.place.partition(":")[0]
    # A CPU always sums in one order.
    options = {"xla_gpu_deterministic_ops": True} if kind == "gpu" and key.deterministic else None
    if kind in SCANNED:

        def scan(images: Any, state: Any, batches: Any) -> Any:
            return jax.lax.scan(lambda state, batch: step(images, state, batch), state, batches)

        return jax.jit(scan, compiler_options=options)
    once = jax.jit(step, compiler_options=options)

    def run(images: Any, state: Any, batches: Any) -> tuple[Any, Any]:
        found = []
        for batch in zip(*batches, strict=True):
            state, one = once(images, state, batch)
            found.append(one)
        return state, jax.tree.map(lambda *parts: np.stack([np.asarray(part) for part in parts]), *found)

    return run


def _gather(images: Any, index: Any) -> Any:
    from jax import numpy as jnp

    # Places are never out of bounds; the default mode would check each of them.
    return jnp.take(images, index, axis=0, mode="clip")


def _scale(images: Any, key: ProgramKey) -> Any:
    return images if key.scale is None else scale_tensor(images, key.scale)
