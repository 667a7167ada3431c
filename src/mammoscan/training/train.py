"""Training a network: one loop over epochs that every engine shares, from the first epoch to the weights it returns."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.models.ensemble import combine_members
from mammoscan.params import MachineParams, Recipe, ViewParams
from mammoscan.records.history import Epoch, History
from mammoscan.training.callbacks import EpochHooks, find_batch_hooks
from mammoscan.training.checkpoints import Checkpointer, Snapshot
from mammoscan.training.devices import choose_device, make_deterministic
from mammoscan.training.early_stopping import Stopping
from mammoscan.training.engines import Engine, open_engine
from mammoscan.training.optimizers import Phase, Plateau, list_phases, list_rates
from mammoscan.training.setup import (
    TrainingData,
    TrainingSetup,
    check_setup,
    check_task,
    compute_class_weights,
    describe_setup,
    weigh_samples,
)
from mammoscan.training.validation import score_outputs

if TYPE_CHECKING:
    import keras

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingOptions:
    """How one training runs; its recipe says what is trained.

    Attributes:
        epochs: Replaces the recipe's, e.g. for a final model.
        rates: The learning rate of each epoch, e.g. those of the fold that a final model follows; they replace the
            recipe's plateau.
        checkpoint: File that a killed training resumes from; in the end it holds the result, which is not trained
            again.
        fingerprint: What must not change between a training and its resumption, besides recipe, machine and rows.
        on_epoch: Called after each epoch with its scores.
        callbacks: Keras callbacks. Every engine calls their hooks around the training and its epochs; for one that
            needs every batch, Keras' ``fit`` trains instead. Their own memory is not in the checkpoint.
    """

    epochs: int | None = None
    rates: Sequence[float] | None = None
    checkpoint: Path | None = None
    fingerprint: dict[str, Any] | None = None
    on_epoch: Callable[[Epoch], None] | None = None
    callbacks: Sequence[keras.callbacks.Callback] = ()


# How far apart the seeds of an ensemble's networks lie: farther than those that people try one after the other.
SEED_STEP = 1009


def train_network(
    data: TrainingData,
    recipe: Recipe,
    machine: MachineParams,
    views: ViewParams,
    options: TrainingOptions | None = None,
) -> tuple[keras.Model, History]:
    """Train a fresh network, or the several of an ensemble, which become one.

    Args:
        data: Images or features, labels and rows.
        recipe: What is trained, and how; its seed decides initial weights, order, views, augmentation and dropout.
        machine: On what it is computed.
        views: ``training`` says whether images are turned and mirrored at random.
        options: Progress, checkpoint and resumption, and what replaces the recipe's epochs and rates.

    Returns:
        The uncompiled model (the head alone where features were given) and its history. The weights are those of
        ``best_epoch``: the best by ``recipe.monitor`` or the last, as ``recipe.keep`` says; without validation rows
        the last.
    """
    options = options or TrainingOptions()
    if recipe.ensemble == 1:
        return _train_one(data, recipe, machine, views, options)
    trained = [
        _train_one(data, _name_member(recipe, number), machine, views, _place_member(options, number))
        for number in range(recipe.ensemble)
    ]
    model = combine_members([member for member, _ in trained])
    first, *others = [history for _, history in trained]
    totals = {
        "others": tuple(others),
        "parameters": sum(history.parameters for _, history in trained),
        "seconds": sum(history.seconds for _, history in trained),
    }
    return model, first.model_copy(update=totals)


def _name_member(recipe: Recipe, number: int) -> Recipe:
    return recipe.model_copy(update={"ensemble": 1, "seed": recipe.seed + SEED_STEP * number})


def _place_member(options: TrainingOptions, number: int) -> TrainingOptions:
    """Give each network a checkpoint of its own; whoever follows the epochs sees those of the first."""
    if number == 0:
        return options
    file = options.checkpoint
    return replace(
        options,
        checkpoint=file and file.with_name(f"{file.stem}_{number}{file.suffix}"),
        on_epoch=None,
    )


def _train_one(
    data: TrainingData,
    recipe: Recipe,
    machine: MachineParams,
    views: ViewParams,
    options: TrainingOptions,
) -> tuple[keras.Model, History]:
    started = time.perf_counter()
    if machine.deterministic:
        make_deterministic()
    training_rows, validation_rows = (
        np.asarray(rows, dtype=np.int64).reshape(-1) for rows in (data.training_rows, data.validation_rows)
    )
    check_task(recipe, data.task)
    class_weights = compute_class_weights(data.targets, training_rows, data.n_labels, recipe.class_weights)
    setup = TrainingSetup(
        pixels=data.pixels,
        targets=np.asarray(data.targets).astype(np.int32 if data.task == "classes" else np.float32),
        weights=weigh_samples(data.targets, class_weights),
        training_rows=training_rows,
        validation_rows=validation_rows,
        outputs=data.n_labels,
        recipe=recipe,
        precision=machine.precision,
        random_views=views.training == "random",
        device=choose_device(machine),
        deterministic=machine.deterministic,
        batch_hooks=find_batch_hooks(options.callbacks),
        task=data.task,
    )
    check_setup(setup)
    engine = open_engine(setup, machine.engine)
    try:
        loop = TrainingLoop(engine, setup, options)
        if machine.resume:
            loop.resume()
        else:
            loop.forget()
        loop.run()
        model = engine.release_model(loop.finish())
    finally:
        engine.close()
    return model, History(
        **loop.summarise(),
        parameters=int(model.count_params()),
        network=recipe.network.name,
        engine=engine.name,
        precision=machine.precision,
        device=setup.device,
        images=len(training_rows),
        class_weights=class_weights,
        seconds=time.perf_counter() - started,
    )


class TrainingLoop:
    """One training from its first epoch to its last."""

    def __init__(self, engine: Engine, setup: TrainingSetup, options: TrainingOptions) -> None:
        """Begin before the first epoch, with the engine's fresh weights."""
        recipe = setup.recipe
        self._engine, self._setup, self._options = engine, setup, options
        self._last = recipe.epochs if options.epochs is None else options.epochs
        self._phases = list_phases(recipe, self._last, setup.starts_frozen)
        self._phase = self._phases[0]
        self._rates = options.rates if options.rates is not None else list_rates(recipe, self._last)
        self._stopping = Stopping(recipe.monitor, recipe.patience)
        plateau = recipe.plateau if len(setup.validation_rows) else None
        self._plateau = Plateau(plateau, recipe.monitor) if plateau is not None else None
        steps = -(-len(setup.training_rows) // recipe.batch_size)
        self._callbacks = EpochHooks(options.callbacks, self._last, steps)
        self._checkpointer = self._open_checkpointer()
        self._epochs: list[Epoch] = []
        self._stopped = False
        self._resumed_after: int | None = None
        self._final: list[NDArray] | None = None

    def run(self) -> None:
        """Train until the last epoch, or until patience runs out."""
        if self._final is not None:
            return
        self._callbacks.begin_training(self._engine.model)
        for epoch in range(len(self._epochs) + 1, self._last + 1):
            if self._stopped:
                break
            began = time.perf_counter()
            phase = self._find_phase(epoch)
            if phase is not self._phase:
                self._enter(phase)
            if self._rates is not None:
                self._engine.write_rate(self._rates[epoch - 1])
            self._callbacks.begin_epoch(epoch)
            loss, accuracy = self._engine.run_epoch(epoch)
            rate = self._engine.read_rate()
            scores = self._validate(epoch, rate) if len(self._setup.validation_rows) else {}
            row = Epoch(
                epoch=epoch,
                loss=loss,
                accuracy=None if self._setup.task == "numbers" else accuracy,
                **scores,
                learning_rate=rate,
                seconds=time.perf_counter() - began,
            )
            self._epochs.append(row)
            # The first of two phases has its fixed length: patience is for the last.
            self._stopped = self._stopping.is_over and self._phase is self._phases[-1]
            self._stopped |= self._callbacks.end_epoch(row, self._engine.model)
            if self._options.on_epoch is not None:
                self._options.on_epoch(row)
            if self._checkpointer is not None and self._checkpointer.is_due():
                started = time.monotonic()
                self._save(epoch, self._engine.read_state(), self._stopping.weights, started=started)
        self._callbacks.end_training(self._epochs[-1])

    def finish(self) -> list[NDArray]:
        """Return the best epoch's weights where they were kept, else the present ones, and save them as the result.

        A run trains several networks one after the other: a resumed one thus repeats none that had ended.
        """
        if self._final is None:
            self._engine.swap_average()
            self._final = self._stopping.weights if self._keeps_best else self._engine.read_weights()
            if self._checkpointer is not None:
                self._save(len(self._epochs), [], self._final, ended=True)
        return self._final

    def summarise(self) -> dict[str, Any]:
        """Return what the loop knows of the history."""
        return {
            "epochs": self._epochs,
            "best_epoch": self._stopping.best_epoch if self._keeps_best else len(self._epochs),
            "stopped_early": self._stopped and len(self._epochs) < self._last,
            "monitor": self._setup.recipe.monitor,
            "resumed_after": self._resumed_after,
        }

    def resume(self) -> None:
        """Go back to the newest snapshot, if there is one; a training that had ended is not repeated."""
        snapshot = self._checkpointer.load_snapshot() if self._checkpointer else None
        if snapshot is None:
            _log.info("There is no checkpoint to resume from; the training begins with epoch 1.")
            return
        if snapshot.memory.get("ended"):
            self._final = snapshot.best
        else:
            phase = self._find_phase(snapshot.epoch)
            if phase is not self._phase:
                self._enter(phase)
            self._engine.write_state(snapshot.state)
        for kind, keeper in (("stopping", self._stopping), ("plateau", self._plateau)):
            for name, value in snapshot.memory.get(kind, {}).items():
                setattr(keeper, name, value)
        self._stopping.weights = snapshot.best
        self._epochs = [Epoch(**row) for row in snapshot.memory["epochs"]]
        self._resumed_after = snapshot.epoch
        self._stopped = snapshot.memory.get("stopped", False)
        words = "It had ended" if self._final is not None else "Resuming"
        _log.info("%s after epoch %d of %d.", words, snapshot.epoch, self._last)

    def forget(self) -> None:
        """Delete the snapshots of an earlier training."""
        if self._checkpointer is not None:
            self._checkpointer.remove()

    @property
    def _keeps_best(self) -> bool:
        recipe = self._setup.recipe
        keep = recipe.keep or ("last" if recipe.patience is None else "best")
        return len(self._setup.validation_rows) > 0 and keep == "best"

    def _find_phase(self, epoch: int) -> Phase:
        return next(phase for phase in self._phases if epoch <= phase.last)

    def _enter(self, phase: Phase) -> None:
        """Begin a phase: a new optimiser, and patience anew for what it has to learn."""
        self._engine.enter_phase(phase.frozen, phase.rate)
        self._phase = phase
        self._stopping.waited = 0
        if self._plateau is not None:
            self._plateau.best, self._plateau.waited = -float("inf"), 0
        self._callbacks.show_model(self._engine.model)

    def _validate(self, epoch: int, rate: float) -> dict[str, float]:
        """Return the epoch's validation scores, after early stopping and the plateau have seen them."""
        setup = self._setup
        targets = setup.targets[setup.validation_rows]
        self._engine.swap_average()
        scores = score_outputs(self._engine.predict_validation(), targets, setup.recipe.loss, setup.task)
        if self._keeps_best or setup.recipe.patience is not None:
            is_best = self._stopping.note_epoch(epoch, scores)
            if is_best and self._keeps_best:
                self._stopping.weights = self._engine.read_weights()
        self._engine.swap_average()
        if self._plateau is not None and self._rates is None:
            following = self._plateau.choose_rate(scores, rate)
            if following != rate:
                self._engine.write_rate(following)
        return scores

    def _open_checkpointer(self) -> Checkpointer | None:
        options = self._options
        if options.checkpoint is None:
            return None
        described = describe_setup(self._setup, self._last, self._engine.name)
        rates = None if options.rates is None else list(options.rates)
        return Checkpointer(
            options.checkpoint, described | {"data": options.fingerprint or {}, "rates": rates}
        )

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
            "epochs": [row.model_dump() for row in self._epochs],
            "stopping": {"best": stopping.best, "best_epoch": stopping.best_epoch, "waited": stopping.waited},
            "plateau": {"best": plateau.best, "waited": plateau.waited} if plateau is not None else {},
            "stopped": self._stopped,
            "ended": ended,
        }
        self._checkpointer.save_snapshot(Snapshot(epoch, state, best, memory), started)
