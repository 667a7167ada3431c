"""The JAX engine: on a GPU an epoch is a scan inside one jitted function.

The functions of the JAX engine: scans over the batches of an epoch, on images that never leave the device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.models.backbones import set_frozen
from mammoscan.models.outputs import build_accuracy, expand_tensor
from mammoscan.models.preprocessing import scale_tensor
from mammoscan.training.augmentation import tabulate_views, warp_tensor
from mammoscan.training.devices import find_jax_device
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


# Where an epoch is one scan. On a CPU, XLA computes convolutions within a loop 16 times slower than outside: there
# the batches are handed in one by one.
SCANNED = ("gpu",)

# Takes the images, the state before a batch and what is told of the batch; gives the state after it and what was found.
Step = Callable[[Any, Any, Any], tuple[Any, Any]]


def compile_training(model: keras.Model, optimizer: keras.optimizers.Optimizer, key: ProgramKey) -> Any:
    """Return the function that learns from whole batches.

    It takes the images, the state (trainable variables, the others, the optimiser's), and for each batch its
    ``Places``; it gives the new state, and each batch's loss and right answers.
    """
    import jax
    from jax import numpy as jnp

    width = int(model.output_shape[-1])
    loss_of, is_correct = key.build_loss(width), build_accuracy(width, key.task)
    tables = tabulate_views(*key.input_shape[:2]) if key.random_views else None

    def show(images: Any, views: Any, warps: Any) -> Any:
        if tables is not None:
            flat = images.reshape(len(images), -1, images.shape[-1])
            places = jnp.asarray(tables)[views]
            images = jnp.take_along_axis(flat, places[:, :, None], axis=1).reshape(images.shape)
        return warp_tensor(images.astype("float32"), warps, key.augmentation) if key.augmentation else images

    def compute_loss(trainable: Any, others: Any, images: Any, targets: Any, weights: Any) -> Any:
        probabilities, others, extras = model.stateless_call(
            trainable, others, _scale(images, key), training=True, return_losses=True
        )
        loss = jnp.mean(weights * loss_of(targets, probabilities))
        for extra in extras:
            loss += extra
        return loss, (others, jnp.sum(is_correct(targets, probabilities)))

    differentiate = jax.value_and_grad(compute_loss, has_aux=True)

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
        return state, expand_tensor(found, key.task)

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


# Up to this size, images are padded to a size that other folds have too: compiling anew would take longer.
_PADDED_BYTES = 256 * 1024**2


class JaxEngine(CompiledEngine):
    """Trains with JAX."""

    name = "jax"

    @staticmethod
    def _build_program(key: ProgramKey) -> Program:
        return JaxProgram(key)

    def _place_array(self, images: NDArray) -> Any:
        import jax

        device = find_jax_device(self._setup.device.place)
        if images.nbytes < _PADDED_BYTES:
            more = _round_up(len(images)) - len(images)
            images = np.concatenate([images, np.zeros((more, *images.shape[1:]), images.dtype)])
        return jax.device_put(images, device)


class JaxProgram:
    """A model, its optimiser, and the functions that train it and predict with it; see ``Program``.

    Between calls all state is in the variables of Keras, where callbacks find it.
    """

    def __init__(self, key: ProgramKey) -> None:
        """Build and compile nothing yet: a function is compiled when it is first called."""
        import keras

        with keras.device(key.place):
            self.model = key.build_model()
            if key.frozen:
                set_frozen(self.model, True)
            self.optimizer = build_optimizer(key.optimizer, self.model)
        self._train = compile_training(self.model, self.optimizer, key)
        self._predict = compile_prediction(self.model, key)
        self._device = find_jax_device(key.place)
        self.batch_size = choose_prediction_batch(key.input_shape)

    @property
    def variables(self) -> list[Any]:
        """All that the next batch depends on."""
        return [*self.model.variables, *self.optimizer.variables]

    def reset(self, start: keras.Model, learning_rate: float) -> None:
        """Start anew with the weights and dropout seeds of ``start``."""
        for mine, theirs in zip(self.model.variables, start.variables, strict=True):
            mine.assign(theirs.value)
        reset_optimizer(self.optimizer, learning_rate)

    def train(self, images: Any, places: Places, batch_size: int) -> tuple[float, float, int, float]:
        """Learn from batches of images."""
        *shown, warps = places
        count = len(places.rows)
        whole = count - count % batch_size
        state = self._read_state()
        losses, rights, sizes = [], [], []
        # The last batch is smaller: a shape of its own, as padding it would change what batches are normalised by.
        for first, last, size in ((0, whole, batch_size), (whole, count, count - whole)):
            if first == last:
                continue
            batches = (part[first:last].reshape(-1, size, *part.shape[1:]) for part in shown)
            steps = (last - first) // size
            batch_warps = warps[first:last].reshape(steps, -1, warps.shape[1])
            state, (loss, right) = self._train(images, state, (*batches, batch_warps))
            losses.append(loss)
            rights.append(right)
            sizes += [size] * steps
        self._write_state(state)
        found, right = (np.concatenate([np.asarray(part) for part in parts]) for parts in (losses, rights))
        broken = np.flatnonzero(~np.isfinite(found))
        done = int(broken[0]) + 1 if len(broken) else len(found)
        total = np.dot(found[:done].astype(np.float64), sizes[:done])
        return float(total), float(right[:done].sum()), done, float(found[done - 1])

    def predict(self, images: Any, index: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the probabilities of images by their places."""
        count = len(index)
        padded = np.pad(index, (0, -count % self.batch_size)).reshape(-1, self.batch_size)
        _, found = self._predict(images, self._read_state()[:2], (padded,))
        return np.asarray(found).reshape(len(padded) * self.batch_size, -1)[:count]

    def _list_variables(self) -> tuple[list[Any], list[Any], list[Any]]:
        return self.model.trainable_variables, self.model.non_trainable_variables, self.optimizer.variables

    def _read_state(self) -> Any:
        import jax

        values = tuple([variable.value for variable in part] for part in self._list_variables())
        # Values that were assigned since the last call are not yet bound to the device, which would compile anew.
        return jax.device_put(values, self._device)

    def _write_state(self, state: Any) -> None:
        for part, values in zip(self._list_variables(), state, strict=True):
            for variable, value in zip(part, values, strict=True):
                variable.assign(value)


def _round_up(count: int) -> int:
    step = max(8, 2 ** (count.bit_length() - 4))
    return -(-count // step) * step
