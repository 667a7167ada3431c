"""Histories of trainings that nobody ran."""

from __future__ import annotations

from typing import Any

from mammoscan.records.history import Device, Epoch, History

CPU = Device(kind="cpu", name="Some CPU", memory_gb=15.6, cores=2, backend="tensorflow", place="/CPU:0")


def make_epochs(count: int, **scores: Any) -> list[Epoch]:
    """Return epochs whose loss falls; ``scores`` are equal in all of them."""
    return [make_epoch(number, **scores) for number in range(1, count + 1)]


def make_epoch(number: int, **scores: Any) -> Epoch:
    fields = {"loss": 1 / number, "accuracy": 0.5, "learning_rate": 0.001, "seconds": 0.5}
    return Epoch(epoch=number, **(fields | scores))


def make_history(epochs: int | list[Epoch] = 3, best_epoch: int = 1, **fields: Any) -> History:
    """Return a history; ``fields`` replace what does not matter to a test."""
    facts = {
        "stopped_early": False,
        "monitor": "loss",
        "resumed_after": None,
        "parameters": 72_706,
        "network": "small_cnn",
        "engine": "tensorflow",
        "precision": "float32",
        "device": CPU,
        "images": 24,
        "seconds": 1.5,
    }
    listed = make_epochs(epochs) if isinstance(epochs, int) else epochs
    return History(epochs=listed, best_epoch=best_epoch, **(facts | fields))
