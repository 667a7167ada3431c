"""The memory of early stopping: which epoch was best, and for how long none was better."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError

_COLUMNS = {"loss": "val_loss", "accuracy": "val_accuracy", "auc": "val_auc"}


def read_monitor(monitor: str, scores: dict[str, float]) -> float:
    """Return what is monitored out of an epoch's validation scores, turned so that larger is better."""
    value = scores[_COLUMNS[monitor]]
    if np.isnan(value):
        raise MammoscanError(
            f"recipe.monitor: {monitor} is undefined on the validation rows, as they hold one label only; "
            "monitor loss, or set more samples aside for validation"
        )
    return -value if monitor == "loss" else value


@dataclass
class Stopping:
    """Early stopping as Keras does it: strictly better counts, ``patience`` epochs without it end the training.

    Attributes:
        monitor: ``loss``, ``accuracy`` or ``auc`` of the validation rows.
        patience: Epochs without improvement after which training stops; None never stops and keeps no weights.
        best: The best value so far, turned so that larger is better.
        best_epoch: The epoch that had it; 0 before the first.
        waited: Epochs since then.
        weights: The model's weights after that epoch.
    """

    monitor: str
    patience: int | None
    best: float = -np.inf
    best_epoch: int = 0
    waited: int = 0
    weights: list[NDArray] = field(default_factory=list)

    def note_epoch(self, epoch: int, scores: dict[str, float]) -> bool:
        """Take an epoch's validation scores; return whether it is the best one so far."""
        value = read_monitor(self.monitor, scores)
        if value > self.best:
            self.best, self.best_epoch, self.waited = value, epoch, 0
            return True
        self.waited += 1
        return False

    @property
    def is_over(self) -> bool:
        """Whether patience ran out."""
        return self.patience is not None and self.waited >= self.patience
