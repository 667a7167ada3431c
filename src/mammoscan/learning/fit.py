"""Training a network on some rows of the packed images."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.learning.callbacks import EpochHooks, find_batch_hooks
from mammoscan.learning.checkpoints import Checkpointer
from mammoscan.learning.devices import choose_device, make_deterministic
from mammoscan.learning.engines import Job, open_engine
from mammoscan.learning.jobs import check_job, describe_job, weigh_samples
from mammoscan.learning.loop import Training
from mammoscan.studies import MachineParams, Recipe, ViewParams

if TYPE_CHECKING:
    import keras


def train_network(
    pixels: NDArray,
    targets: NDArray[np.integer],
    training_rows: NDArray[np.integer],
    validation_rows: NDArray[np.integer],
    *,
    n_labels: int,
    recipe: Recipe,
    machine: MachineParams,
    views: ViewParams,
    epochs: int | None = None,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    checkpoint: Path | None = None,
    fingerprint: dict[str, Any] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    rates: Sequence[float] | None = None,
) -> tuple[keras.Model, dict[str, Any]]:
    """Train a fresh network.

    Args:
        pixels: uint8 ``[N, H, W, C]``, possibly memory-mapped; or, where ``recipe.freeze``, float32 ``[N, D]``: the
            features of the frozen backbone, from which the head alone is trained.
        targets: ``[N]`` index of each sample's label.
        training_rows: Positions to learn from.
        validation_rows: Positions to choose the epoch on; may be empty.
        n_labels: Number of labels.
        recipe: What is learnt, and how; its seed decides initial weights, order, views and dropout.
        machine: On what it is computed.
        views: ``training`` says whether images are turned and mirrored at random.
        epochs: Replaces the recipe's, e.g. for a final model.
        on_epoch: Called after each epoch with epoch, epochs, loss, accuracy, val_loss, val_accuracy, val_auc,
            learning_rate and seconds; the ``val_`` keys only where there are validation rows.
        checkpoint: File that a killed training resumes from; in the end it holds the result, which is not trained
            again.
        fingerprint: What must not change between a training and its resumption, besides all of the above.
        callbacks: Keras callbacks. Every engine calls their hooks around the training and its epochs; one that wants
            to hear of batches has Keras' ``fit`` train instead. What they remember is not in the checkpoint.
        rates: The learning rate of each epoch, e.g. those of the fold that a final model follows; they replace
            the recipe's plateau.

    Returns:
        The uncompiled model (the head alone where features were given) and its history. The weights are those of
        ``best_epoch``: the best by ``recipe.monitor`` where there are validation rows and a patience, else the last.
    """
    started = time.perf_counter()
    device = choose_device(machine)
    if machine.deterministic:
        make_deterministic()
    training_rows, validation_rows = (
        np.asarray(rows, dtype=np.int64).reshape(-1) for rows in (training_rows, validation_rows)
    )
    job = Job(
        pixels=pixels,
        targets=np.asarray(targets).astype(np.int32),
        weights=weigh_samples(targets, training_rows, n_labels, recipe.class_weights),
        training_rows=training_rows,
        validation_rows=validation_rows,
        outputs=n_labels,
        recipe=recipe,
        precision=machine.precision,
        random_views=views.training == "random",
        device=device,
        deterministic=machine.deterministic,
        batch_hooks=find_batch_hooks(callbacks),
    )
    check_job(job)
    total = recipe.epochs if epochs is None else epochs
    engine = open_engine(job, machine.engine)
    try:
        checkpointer = None
        if checkpoint is not None:
            described = describe_job(job, total, engine.name)
            described |= {"data": fingerprint or {}, "rates": None if rates is None else list(rates)}
            checkpointer = Checkpointer(checkpoint, described)
        hooks = EpochHooks(callbacks, total, -(-len(training_rows) // recipe.batch_size))
        training = Training(engine, job, total, on_epoch, checkpointer, hooks, rates)
        if checkpointer is not None:
            if machine.resume:
                training.resume()
            else:
                checkpointer.remove()
        training.run()
        model = engine.release_model(training.end())
    finally:
        engine.close()
    history = training.summarise() | {
        "parameters": int(model.count_params()),
        "network": recipe.network.name,
        "engine": engine.name,
        "precision": machine.precision,
        "device": dict(device),
        "images": len(training_rows),
        "seconds": time.perf_counter() - started,
    }
    return model, history
