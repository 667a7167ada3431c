"""Keras callbacks around a loop that is not Keras' own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mammoscan.records.history import Epoch

if TYPE_CHECKING:
    import keras


_BATCH_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


def find_batch_hooks(
    callbacks: Sequence[keras.callbacks.Callback],
) -> tuple[keras.callbacks.Callback, ...]:
    """Return the callbacks with hooks for batches: only Keras' ``fit`` calls those."""
    return tuple(callback for callback in callbacks if _wants_batches(callback))


def _wants_batches(callback: keras.callbacks.Callback) -> bool:
    import keras

    # Keras' own checkpoints count batches, but act on them only where they save within an epoch.
    if getattr(callback, "save_freq", None) == "epoch" and type(callback).__module__.startswith("keras."):
        return False
    plain = keras.callbacks.Callback
    return any(
        name in vars(callback) or getattr(type(callback), name) is not getattr(plain, name)
        for name in _BATCH_HOOKS
    )


class EpochHooks:
    """Calls the hooks of callbacks at the beginning and the end of a training and of each of its epochs."""

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback], epochs: int, steps: int) -> None:
        """Take the callbacks, and the numbers of epochs and steps that Keras gives them."""
        self._callbacks = tuple(callbacks)
        self._params = {"epochs": epochs, "steps": steps, "verbose": 0}

    def begin_training(self, model: keras.Model) -> None:
        """Show the callbacks the model before its first epoch."""
        if not self._callbacks:
            return
        model.stop_training = False
        for callback in self._callbacks:
            callback.set_params(self._params)
        self.show_model(model)
        for callback in self._callbacks:
            callback.on_train_begin({})

    def show_model(self, model: keras.Model) -> None:
        """Show the callbacks the model that learns from now on."""
        for callback in self._callbacks:
            callback.set_model(model)

    def begin_epoch(self, epoch: int) -> None:
        """Call the hooks of an epoch's beginning; ours count from 1, those of Keras from 0."""
        for callback in self._callbacks:
            callback.on_epoch_begin(epoch - 1, {})

    def end_epoch(self, row: Epoch, model: keras.Model) -> bool:
        """Hand over an epoch's scores; return whether a callback wants to stop."""
        if not self._callbacks:
            return False
        logs = row.model_dump(exclude={"epoch", "seconds"})
        for callback in self._callbacks:
            callback.on_epoch_end(row.epoch - 1, logs)
        return bool(model.stop_training)

    def end_training(self, row: Epoch) -> None:
        """Call the hooks of the end, with the last epoch's scores."""
        for callback in self._callbacks:
            callback.on_train_end(row.model_dump(exclude={"epoch"}))
