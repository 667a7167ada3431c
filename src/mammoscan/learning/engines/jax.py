"""The JAX engine: on a GPU an epoch is a scan inside one jitted function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.learning.devices import find_jax_device
from mammoscan.learning.engines.compiled import CompiledEngine
from mammoscan.learning.engines.pool import Program, ProgramKey, choose_prediction_batch
from mammoscan.learning.engines.scans import compile_prediction, compile_training
from mammoscan.learning.optimizers import build_optimizer, reset_optimizer
from mammoscan.networks import build_network
from mammoscan.networks.backbones import set_frozen

if TYPE_CHECKING:
    import keras

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

        device = find_jax_device(self._job.device["place"])
        if images.nbytes < _PADDED_BYTES:
            more = _round_up(len(images)) - len(images)
            images = np.concatenate([images, np.zeros((more, *images.shape[1:]), images.dtype)])
        return jax.device_put(images, device)


class JaxProgram:
    """A model, its optimiser, and the functions that train and ask it; ``Program`` tells what each part does.

    Between calls all state is in the variables of Keras, where callbacks find it.
    """

    def __init__(self, key: ProgramKey) -> None:
        """Build and compile nothing yet: a function is compiled when it is first called."""
        import keras

        with keras.device(key.place):
            self.model = build_network(key.network, key.input_shape, key.outputs, 0, precision=key.precision)
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
        count = len(index)
        whole = count - count % batch_size
        state = self._read_state()
        losses, rights, sizes = [], [], []
        # The last batch is smaller: a shape of its own, as padding it would change what batches are normalised by.
        for first, last, size in ((0, whole, batch_size), (whole, count, count - whole)):
            if first == last:
                continue
            places = (part[first:last].reshape(-1, size) for part in (index, targets, weights, views))
            steps = (last - first) // size
            bends = warps[first:last].reshape(steps, -1, warps.shape[1])
            state, (loss, right) = self._train(images, state, (*places, bends))
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
