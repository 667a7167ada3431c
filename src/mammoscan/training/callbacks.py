"""Keras callbacks around a loop that is not Keras' own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


_BATCH_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


def find_batch_hooks(
    callbacks: Sequence[keras.callbacks.Callback],
) -> tuple[keras.callbacks.Callback, ...]:
    """Return the callbacks that want to hear of every batch: only Keras' ``fit`` can tell them."""
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
        """Take the callbacks, and what Keras tells them of a training."""
        self._callbacks = tuple(callbacks)
        self._params = {"epochs": epochs, "steps": steps, "verbose": 0}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._callbacks)

    def begin_training(self, model: keras.Model) -> None:
        """Show the callbacks the model before its first epoch."""
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
        """Tell that an epoch begins; ours count from 1, those of Keras from 0."""
        for callback in self._callbacks:
            callback.on_epoch_begin(epoch - 1, {})

    def end_epoch(self, row: dict[str, Any], model: keras.Model) -> bool:
        """Tell an epoch's scores; return whether a callback wants to stop."""
        logs = {name: value for name, value in row.items() if name not in ("epoch", "seconds")}
        for callback in self._callbacks:
            callback.on_epoch_end(row["epoch"] - 1, logs)
        return bool(model.stop_training)

    def end_training(self, row: dict[str, Any]) -> None:
        """Tell that the training is over."""
        for callback in self._callbacks:
            callback.on_train_end({name: value for name, value in row.items() if name != "epoch"})
