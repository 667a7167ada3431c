"""The outer loop that all engines share: scores, early stopping, checkpoints and progress."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from mammoscan.learning.checkpoints import Checkpointer, Snapshot
from mammoscan.learning.engines import Engine, Job
from mammoscan.learning.scoring import score_probabilities
from mammoscan.learning.stopping import Stopping

_log = logging.getLogger(__name__)


class Training:
    """One training from its first epoch to its last."""

    def __init__(
        self,
        engine: Engine,
        job: Job,
        epochs: int,
        on_epoch: Callable[[dict[str, Any]], None] | None,
        checkpointer: Checkpointer | None,
    ) -> None:
        """Begin before the first epoch.

        Args:
            engine: With fresh weights.
            job: What is trained.
            epochs: The last epoch at most.
            on_epoch: Called after each epoch with its scores.
            checkpointer: Where snapshots go, if anywhere.
        """
        self._engine, self._job, self._epochs = engine, job, epochs
        self._on_epoch, self._checkpointer = on_epoch, checkpointer
        self._stopping = Stopping(job.recipe.monitor, job.recipe.patience)
        self._rows: list[dict[str, Any]] = []
        self._resumed_after: int | None = None
        self._final: list[NDArray] | None = None
        self._epoch_began = 0.0

    @property
    def _keeps_best(self) -> bool:
        return len(self._job.validation_rows) > 0 and self._job.recipe.patience is not None

    def resume(self) -> None:
        """Go back to the newest snapshot, if there is one; a training that had ended is not repeated."""
        snapshot = self._checkpointer.load_snapshot() if self._checkpointer else None
        if snapshot is None:
            _log.info("There is no checkpoint to resume from; the training begins with epoch 1.")
            return
        if snapshot.memory.get("ended"):
            self._final = snapshot.best
        else:
            self._engine.write_state(snapshot.state)
        for name, value in snapshot.memory["stopping"].items():
            setattr(self._stopping, name, value)
        self._stopping.weights = snapshot.best
        self._rows = snapshot.memory["epochs"]
        self._resumed_after = snapshot.epoch
        words = "It had ended" if self._final is not None else "Resuming"
        _log.info("%s after epoch %d of %d.", words, snapshot.epoch, self._epochs)

    def run(self) -> None:
        """Train until the last epoch, or until patience runs out."""
        if self._final is None and len(self._rows) < self._epochs and not self._stopping.is_over:
            self._epoch_began = time.perf_counter()
            self._engine.run_epochs(len(self._rows) + 1, self._epochs, self._end_epoch)

    def end(self) -> list[NDArray]:
        """Return the best epoch's weights where they were kept, else the present ones, and keep them as the end.

        A run trains several networks one after the other: a resumed one thus repeats none that had ended.
        """
        if self._final is None:
            self._final = self._stopping.weights if self._keeps_best else self._engine.read_weights()
            if self._checkpointer is not None:
                self._save(len(self._rows), [], self._final, ended=True)
        return self._final

    def summarise(self) -> dict[str, Any]:
        """Return the history: its epochs, the one whose weights count, and whether patience ran out."""
        return {
            "epochs": self._rows,
            "best_epoch": self._stopping.best_epoch if self._keeps_best else len(self._rows),
            "stopped_early": self._stopping.is_over and len(self._rows) < self._epochs,
            "monitor": self._job.recipe.monitor,
            "resumed_after": self._resumed_after,
        }

    def _end_epoch(self, epoch: int, loss: float, accuracy: float) -> bool:
        row: dict[str, Any] = {"epoch": epoch, "loss": loss, "accuracy": accuracy}
        if len(self._job.validation_rows):
            targets = self._job.targets[self._job.validation_rows]
            scores = score_probabilities(self._engine.predict_validation(), targets)
            row |= scores
            if self._keeps_best and self._stopping.note_epoch(epoch, scores):
                self._stopping.weights = self._engine.read_weights()
        now = time.perf_counter()
        row["seconds"] = now - self._epoch_began
        self._epoch_began = now
        self._rows.append(row)
        if self._on_epoch is not None:
            self._on_epoch({**row, "epochs": self._epochs})
        if self._checkpointer is not None and self._checkpointer.is_due():
            started = time.monotonic()
            self._save(epoch, self._engine.read_state(), self._stopping.weights, started=started)
        return self._stopping.is_over

    def _save(
        self,
        epoch: int,
        state: list[NDArray],
        best: list[NDArray],
        *,
        ended: bool = False,
        started: float | None = None,
    ) -> None:
        assert self._checkpointer is not None
        stopping = self._stopping
        memory = {
            "epochs": self._rows,
            "stopping": {"best": stopping.best, "best_epoch": stopping.best_epoch, "waited": stopping.waited},
            "ended": ended,
        }
        self._checkpointer.save_snapshot(Snapshot(epoch, state, best, memory), started)
