"""Keras' own ``fit``: the engine for every backend, slower and with all of Keras' hooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.models.backbones import set_frozen
from mammoscan.models.outputs import build_accuracy, build_loss, expand_probabilities
from mammoscan.models.preprocessing import scale_pixels
from mammoscan.training.augmentation import read_augmentation, tabulate_views, warp_tensor
from mammoscan.training.engines.base import check_loss
from mammoscan.training.optimizers import build_optimizer, read_optimizer, swap_average
from mammoscan.training.pixel_blocks import read_rows
from mammoscan.training.setup import TrainingSetup

if TYPE_CHECKING:
    import keras


_PREDICTION_BATCH = 64


class FitEngine:
    """Trains with ``model.fit`` on a generator that keeps the schedule's order."""

    name = "fit"

    def __init__(self, setup: TrainingSetup) -> None:
        """Build and compile a fresh network."""
        self._setup = setup
        self._model = setup.build_model()
        self._tables = tabulate_views(*setup.input_shape[:2]) if setup.random_views else None
        self.enter_phase(setup.starts_frozen, setup.recipe.learning_rate)

    @property
    def model(self) -> keras.Model:
        """The model that learns."""
        return self._model

    def enter_phase(self, frozen: bool, rate: float) -> None:
        """Go on with a fresh optimiser, and with the backbone frozen or not."""
        recipe, outputs = self._setup.recipe, int(self._model.output_shape[-1])
        is_correct = build_accuracy(outputs, self._setup.task)

        def accuracy(targets: Any, found: Any) -> Any:
            return is_correct(targets, found)

        if self._setup.starts_frozen:
            set_frozen(self._model, frozen)
        self._model.compile(
            optimizer=build_optimizer(read_optimizer(recipe), self._model, rate),
            loss=build_loss(recipe.loss, outputs, recipe.label_smoothing, self._setup.task),
            metrics=[accuracy],
            # On a CPU, XLA makes small networks several times slower.
            jit_compile="auto" if self._setup.device.kind == "gpu" else False,
        )

    def run_epoch(self, epoch: int) -> tuple[float, float]:
        """Train for one epoch; return its mean loss and its accuracy."""
        import keras

        listeners = self._setup.batch_hooks
        present: list[NDArray] = []

        class BatchHooks(keras.callbacks.Callback):
            def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
                for listener in listeners:
                    listener.on_train_batch_begin(batch, logs)

            def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
                # Keras reports the epoch's mean so far, which is finite until its first batch that is not.
                check_loss((logs or {})["loss"], epoch, batch + 1)
                for listener in listeners:
                    listener.on_train_batch_end(batch, logs)

            def on_epoch_end(self, *_: Any, **__: Any) -> None:
                if self.model.optimizer.use_ema:
                    present.extend(np.array(weight) for weight in self.model.trainable_variables)

        found = self._model.fit(
            self._generate_batches(epoch),
            steps_per_epoch=-(-len(self._setup.training_rows) // self._setup.recipe.batch_size),
            initial_epoch=epoch - 1,
            epochs=epoch,
            callbacks=[BatchHooks()],
            shuffle=False,
            verbose=0,
        ).history
        # At its end ``fit`` writes the moving average over the weights, but the training goes on from the weights.
        for weight, value in zip(self._model.trainable_variables if present else [], present, strict=True):
            weight.assign(value)
        return found["loss"][0], found["accuracy"][0]

    def predict_validation(self) -> NDArray[np.float32]:
        """Return the probabilities of the validation rows."""
        setup = self._setup
        rows = setup.validation_rows
        parts = [rows[first : first + _PREDICTION_BATCH] for first in range(0, len(rows), _PREDICTION_BATCH)]
        found = [self._model.predict_on_batch(self._scale(read_rows(setup.pixels, part))) for part in parts]
        return expand_probabilities(np.concatenate([np.asarray(part) for part in found]), setup.task)

    def read_rate(self) -> float:
        """Return the present learning rate."""
        return float(np.asarray(self._model.optimizer.learning_rate))

    def write_rate(self, rate: float) -> None:
        """Set the learning rate of the next batches."""
        self._model.optimizer.learning_rate = rate

    def swap_average(self) -> None:
        """Exchange the weights with their moving average, where the recipe keeps one."""
        swap_average(self._model, self._model.optimizer)

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
        model = self._setup.build_model(weights="none")
        model.set_weights(weights)
        return model

    def close(self) -> None:
        """Hold nothing."""

    def _list_variables(self) -> list[Any]:
        return [*self._model.variables, *self._model.optimizer.variables]

    def _generate_batches(self, epoch: int) -> Iterator[tuple[NDArray, NDArray, NDArray]]:
        setup, size = self._setup, self._setup.recipe.batch_size
        plan = setup.draw_epoch(epoch)
        for start in range(0, len(plan.order), size):
            part = slice(start, start + size)
            rows = setup.training_rows[plan.order[part]]
            images = self._show(read_rows(setup.pixels, rows), plan.views[part], plan.warps[part])
            yield self._scale(images), setup.targets[rows], setup.weights[rows]

    def _scale(self, images: NDArray) -> NDArray[np.float32]:
        return images if self._setup.scale is None else scale_pixels(images, self._setup.scale)

    def _show(self, images: NDArray, views: NDArray[np.int32], warps: NDArray[np.float32]) -> NDArray:
        if self._tables is not None:
            flat = images.reshape(len(images), -1, images.shape[-1])
            images = np.take_along_axis(flat, self._tables[views][:, :, None], axis=1).reshape(images.shape)
        kind = read_augmentation(self._setup.recipe.augmentation)
        return np.asarray(warp_tensor(images.astype(np.float32), warps, kind)) if len(warps) else images
