"""Keras' own ``fit``: the engine for every backend, slower and with all of Keras' hooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.models.backbones import set_frozen
from mammoscan.models.outputs import build_accuracy, build_loss, expand_probabilities
from mammoscan.models.preprocessing import scale_pixels
from mammoscan.training.augmentation import warp_tensor
from mammoscan.training.engines.base import EndEpoch, Job, check_loss
from mammoscan.training.optimizers import build_optimizer
from mammoscan.training.pixel_blocks import read_rows
from mammoscan.training.sample_order import tabulate_views

if TYPE_CHECKING:
    import keras


_PREDICTION_BATCH = 64


class FitEngine:
    """Trains with ``model.fit`` on a generator that keeps the schedule's order."""

    name = "fit"

    def __init__(self, job: Job) -> None:
        """Build and compile a fresh network."""
        self._job = job
        self._model = job.build_model()
        self._tables = tabulate_views(*job.input_shape[:2]) if job.random_views else None
        self.enter_phase(job.starts_frozen, job.recipe.learning_rate)

    @property
    def model(self) -> keras.Model:
        """The model that learns."""
        return self._model

    def enter_phase(self, frozen: bool, rate: float) -> None:
        """Go on with a fresh optimiser, and with the backbone frozen or not."""
        recipe, outputs = self._job.recipe, int(self._model.output_shape[-1])
        judge = build_accuracy(outputs)

        def accuracy(targets: Any, found: Any) -> Any:
            return judge(targets, found)

        if self._job.starts_frozen:
            set_frozen(self._model, frozen)
        self._model.compile(
            optimizer=build_optimizer(recipe.optimizer, self._model, rate),
            loss=build_loss(recipe.loss, outputs),
            metrics=[accuracy],
            # On a CPU, XLA makes small networks several times slower.
            jit_compile="auto" if self._job.device.kind == "gpu" else False,
        )

    def run_epochs(self, first: int, last: int, end_epoch: EndEpoch) -> None:
        """Train from epoch ``first`` to ``last`` until ``end_epoch`` says stop."""
        import keras

        listeners = self._job.batch_hooks

        class Hooks(keras.callbacks.Callback):
            epoch = first

            def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
                for listener in listeners:
                    listener.on_train_batch_begin(batch, logs)

            def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
                # Keras reports the epoch's mean so far, which is finite until its first batch that is not.
                check_loss((logs or {})["loss"], self.epoch, batch + 1)
                for listener in listeners:
                    listener.on_train_batch_end(batch, logs)

            def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
                scores = logs or {}
                if end_epoch(epoch + 1, scores["loss"], scores["accuracy"]):
                    self.model.stop_training = True
                self.epoch = epoch + 2

        steps = -(-len(self._job.training_rows) // self._job.recipe.batch_size)
        self._model.fit(
            self._generate_batches(first, last),
            steps_per_epoch=steps,
            initial_epoch=first - 1,
            epochs=last,
            callbacks=[Hooks()],
            shuffle=False,
            verbose=0,
        )

    def predict_validation(self) -> NDArray[np.float32]:
        """Return the probabilities of the validation rows."""
        job = self._job
        rows = job.validation_rows
        parts = [rows[first : first + _PREDICTION_BATCH] for first in range(0, len(rows), _PREDICTION_BATCH)]
        found = [self._model.predict_on_batch(self._scale(read_rows(job.pixels, part))) for part in parts]
        return expand_probabilities(np.concatenate([np.asarray(part) for part in found]))

    def read_rate(self) -> float:
        """Return the present learning rate."""
        return float(np.asarray(self._model.optimizer.learning_rate))

    def write_rate(self, rate: float) -> None:
        """Set the learning rate of the next batches."""
        self._model.optimizer.learning_rate = rate

    def read_weights(self) -> list[NDArray]:
        """Return the model's present weights."""
        return self._model.get_weights()

    def read_state(self) -> list[NDArray]:
        """Return weights, dropout's seeds and the optimiser."""
        return [np.array(variable) for variable in self._list_variables()]

    def write_state(self, state: list[NDArray]) -> None:
        """Go back to a state that ``read_state`` returned."""
        for variable, value in zip(self._list_variables(), state, strict=True):
            variable.assign(value)

    def release_model(self, weights: list[NDArray]) -> keras.Model:
        """Return a model of its own with these weights, without the optimiser that is compiled into this one."""
        model = self._job.build_model(weights="none")
        model.set_weights(weights)
        return model

    def close(self) -> None:
        """Hold nothing."""

    def _list_variables(self) -> list[Any]:
        return [*self._model.variables, *self._model.optimizer.variables]

    def _generate_batches(self, first: int, last: int) -> Iterator[tuple[NDArray, NDArray, NDArray]]:
        job, size = self._job, self._job.recipe.batch_size
        for epoch in range(first, last + 1):
            shown = job.draw_epoch(epoch)
            for start in range(0, len(shown.order), size):
                part = slice(start, start + size)
                rows = job.training_rows[shown.order[part]]
                images = self._show(read_rows(job.pixels, rows), shown.views[part], shown.warps[part])
                yield self._scale(images), job.targets[rows], job.weights[rows]

    def _scale(self, images: NDArray) -> NDArray[np.float32]:
        return images if self._job.scale is None else scale_pixels(images, self._job.scale)

    def _show(self, images: NDArray, views: NDArray[np.int32], warps: NDArray[np.float32]) -> NDArray:
        if self._tables is not None:
            flat = images.reshape(len(images), -1, images.shape[-1])
            images = np.take_along_axis(flat, self._tables[views][:, :, None], axis=1).reshape(images.shape)
        return np.asarray(warp_tensor(images.astype(np.float32), warps)) if len(warps) else images
