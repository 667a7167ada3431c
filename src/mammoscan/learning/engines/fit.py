"""Keras' own ``fit``: the engine for every backend, slower and with all of Keras' hooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.learning.blocks import read_rows
from mammoscan.learning.engines.interface import EndEpoch, Job, check_loss
from mammoscan.learning.optimizers import build_optimizer
from mammoscan.learning.scaling import scale_pixels
from mammoscan.learning.schedule import tabulate_views
from mammoscan.networks import build_network

if TYPE_CHECKING:
    import keras

_PREDICTION_BATCH = 64


class FitEngine:
    """Trains with ``model.fit`` on a generator that keeps the schedule's order."""

    name = "fit"

    def __init__(self, job: Job) -> None:
        """Build and compile a fresh network."""
        recipe = job.recipe
        self._job = job
        self._model = build_network(
            recipe.network.name, job.input_shape, job.outputs, recipe.seed, precision=job.precision
        )
        self._model.compile(
            optimizer=build_optimizer(recipe.optimizer, self._model, recipe.learning_rate),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
            # On a CPU, XLA makes this network several times slower.
            jit_compile="auto" if job.device["kind"] == "gpu" else False,
        )
        self._tables = tabulate_views(*job.input_shape[:2]) if job.random_views else None

    def run_epochs(self, first: int, last: int, end_epoch: EndEpoch) -> None:
        """Train from epoch ``first`` to ``last`` until ``end_epoch`` says stop."""
        import keras

        class Hooks(keras.callbacks.Callback):
            epoch = first

            def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
                # Keras reports the epoch's mean so far, which is finite until its first batch that is not.
                check_loss((logs or {})["loss"], self.epoch, batch + 1)

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
        return np.concatenate(
            [
                np.asarray(
                    self._model.predict_on_batch(scale_pixels(read_rows(job.pixels, part), job.recipe.scale))
                )
                for part in parts
            ]
        )

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
        job = self._job
        model = build_network(
            job.recipe.network.name, job.input_shape, job.outputs, job.recipe.seed, precision=job.precision
        )
        model.set_weights(weights)
        return model

    def close(self) -> None:
        """Hold nothing."""

    def _list_variables(self) -> list[Any]:
        return [*self._model.variables, *self._model.optimizer.variables]

    def _generate_batches(self, first: int, last: int) -> Iterator[tuple[NDArray, NDArray, NDArray]]:
        job, size = self._job, self._job.recipe.batch_size
        for epoch in range(first, last + 1):
            order, views = job.draw_epoch(epoch)
            for start in range(0, len(order), size):
                rows = job.training_rows[order[start : start + size]]
                images = self._show(read_rows(job.pixels, rows), views[start : start + size])
                yield scale_pixels(images, job.recipe.scale), job.targets[rows], job.weights[rows]

    def _show(self, images: NDArray[np.uint8], views: NDArray[np.int32]) -> NDArray[np.uint8]:
        if self._tables is None:
            return images
        flat = images.reshape(len(images), -1, images.shape[-1])
        return np.take_along_axis(flat, self._tables[views][:, :, None], axis=1).reshape(images.shape)
