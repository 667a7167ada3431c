"""The outer loop that all engines share: scores, early stopping, learning rates, checkpoints and progress."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from mammoscan.records.history import Epoch
from mammoscan.training.callbacks import EpochHooks
from mammoscan.training.checkpoints import Checkpointer, Snapshot
from mammoscan.training.early_stopping import Stopping
from mammoscan.training.engines import Engine, Job
from mammoscan.training.learning_rate import Phase, Plateau, list_phases
from mammoscan.training.validation import score_probabilities

_log = logging.getLogger(__name__)


class Training:
    """One training from its first epoch to its last."""

    def __init__(
        self,
        engine: Engine,
        job: Job,
        epochs: int,
        on_epoch: Callable[[Epoch], None] | None,
        checkpointer: Checkpointer | None,
        callbacks: EpochHooks | None = None,
        rates: Sequence[float] | None = None,
    ) -> None:
        """Begin before the first epoch.

        Args:
            engine: With fresh weights.
            job: What is trained.
            epochs: The last epoch at most.
            on_epoch: Called after each epoch with its scores.
            checkpointer: Where snapshots go, if anywhere.
            callbacks: Keras callbacks whose hooks are called.
            rates: The learning rate of each epoch, instead of what the recipe says.
        """
        recipe = job.recipe
        self._engine, self._job, self._epochs = engine, job, epochs
        self._on_epoch, self._checkpointer = on_epoch, checkpointer
        self._callbacks = callbacks or EpochHooks((), epochs, 0)
        self._rates = rates
        self._phases = list_phases(recipe, epochs, job.starts_frozen)
        self._phase = self._phases[0]
        self._stopping = Stopping(recipe.monitor, recipe.patience)
        plateau = recipe.plateau if len(job.validation_rows) else None
        self._plateau = Plateau(plateau, recipe.monitor) if plateau is not None else None
        self._rows: list[dict[str, Any]] = []
        self._resumed_after: int | None = None
        self._final: list[NDArray] | None = None
        self._stopped = False
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
            phase = next(phase for phase in self._phases if snapshot.epoch <= phase.last)
            if phase is not self._phase:
                self._enter(phase)
            self._engine.write_state(snapshot.state)
        for kind, keeper in (("stopping", self._stopping), ("plateau", self._plateau)):
            for name, value in snapshot.memory.get(kind, {}).items():
                setattr(keeper, name, value)
        self._stopping.weights = snapshot.best
        self._rows = snapshot.memory["epochs"]
        self._resumed_after = snapshot.epoch
        self._stopped = snapshot.memory.get("stopped", False)
        words = "It had ended" if self._final is not None else "Resuming"
        _log.info("%s after epoch %d of %d.", words, snapshot.epoch, self._epochs)

    def run(self) -> None:
        """Train until the last epoch, or until patience runs out."""
        if self._final is not None:
            return
        if self._callbacks:
            self._callbacks.begin_training(self._engine.model)
        for phase in self._phases:
            if self._stopped or len(self._rows) >= phase.last:
                continue
            if phase is not self._phase:
                self._enter(phase)
            self._begin_epoch(len(self._rows) + 1)
            self._epoch_began = time.perf_counter()
            self._engine.run_epochs(len(self._rows) + 1, phase.last, self._end_epoch)
        self._callbacks.end_training(self._rows[-1])

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
        """Return what the loop knows of the history."""
        return {
            "epochs": [Epoch(**row) for row in self._rows],
            "best_epoch": self._stopping.best_epoch if self._keeps_best else len(self._rows),
            "stopped_early": self._stopped and len(self._rows) < self._epochs,
            "monitor": self._job.recipe.monitor,
            "resumed_after": self._resumed_after,
        }

    def _enter(self, phase: Phase) -> None:
        """Begin a phase: a new optimiser, and patience anew for what it has to learn."""
        self._engine.enter_phase(phase.frozen, phase.rate)
        self._phase = phase
        self._stopping.waited = 0
        if self._plateau is not None:
            self._plateau.best, self._plateau.waited = -float("inf"), 0
        if self._callbacks:
            self._callbacks.show_model(self._engine.model)

    def _begin_epoch(self, epoch: int) -> None:
        if self._rates is not None:
            self._engine.write_rate(self._rates[epoch - 1])
        self._callbacks.begin_epoch(epoch)

    def _is_over(self) -> bool:
        # The first of two phases has its fixed length: patience is for the last.
        return self._stopping.is_over and self._phase is self._phases[-1]

    def _end_epoch(self, epoch: int, loss: float, accuracy: float) -> bool:
        row: dict[str, Any] = {"epoch": epoch, "loss": loss, "accuracy": accuracy}
        rate = self._engine.read_rate()
        if len(self._job.validation_rows):
            targets = self._job.targets[self._job.validation_rows]
            scores = score_probabilities(self._engine.predict_validation(), targets, self._job.recipe.loss)
            row |= scores
            if self._keeps_best and self._stopping.note_epoch(epoch, scores):
                self._stopping.weights = self._engine.read_weights()
            if self._plateau is not None and self._rates is None:
                following = self._plateau.choose_rate(scores, rate)
                if following != rate:
                    self._engine.write_rate(following)
        row["learning_rate"] = rate
        now = time.perf_counter()
        row["seconds"] = now - self._epoch_began
        self._epoch_began = now
        self._rows.append(row)
        self._stopped = self._is_over()
        if self._callbacks:
            self._stopped |= self._callbacks.end_epoch(row, self._engine.model)
        if self._on_epoch is not None:
            self._on_epoch(Epoch(**row))
        if self._checkpointer is not None and self._checkpointer.is_due():
            started = time.monotonic()
            self._save(epoch, self._engine.read_state(), self._stopping.weights, started=started)
        if not self._stopped and epoch < self._phase.last:
            self._begin_epoch(epoch + 1)
        return self._stopped

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
        stopping, plateau = self._stopping, self._plateau
        memory = {
            "epochs": self._rows,
            "stopping": {"best": stopping.best, "best_epoch": stopping.best_epoch, "waited": stopping.waited},
            "plateau": {"best": plateau.best, "waited": plateau.waited} if plateau is not None else {},
            "stopped": self._stopped,
            "ended": ended,
        }
        self._checkpointer.save_snapshot(Snapshot(epoch, state, best, memory), started)
