"""Training a network on some rows of the packed images.

What a training is given, checked and put in words.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.models.architectures import find_backbone
from mammoscan.models.weights import fingerprint_weights
from mammoscan.params import MachineParams, Recipe, ViewParams
from mammoscan.records.history import Epoch, History
from mammoscan.training.callbacks import EpochHooks, find_batch_hooks
from mammoscan.training.checkpoints import Checkpointer
from mammoscan.training.devices import choose_device, make_deterministic
from mammoscan.training.engines import Job, open_engine
from mammoscan.training.loop import Training

if TYPE_CHECKING:
    import keras


def weigh_samples(
    targets: NDArray[np.integer], training_rows: NDArray[np.integer], n_labels: int, method: str
) -> NDArray[np.float32]:
    """Give each sample its weight in the loss.

    Args:
        targets: ``[N]`` index of each sample's label.
        training_rows: The rows whose counts make the weights.
        n_labels: Number of labels.
        method: ``none`` weighs all alike; ``balanced`` gives every label the same sum, n / (labels * count).

    Returns:
        ``[N]`` weights.
    """
    if method == "none":
        return np.ones(len(targets), np.float32)
    counts = np.bincount(np.asarray(targets)[training_rows], minlength=n_labels)
    weights = counts.sum() / (n_labels * np.maximum(counts, 1))
    return weights[np.asarray(targets)].astype(np.float32)


def check_job(job: Job) -> None:
    """Refuse arrays and rows that no training can come of."""
    pixels, targets = job.pixels, job.targets
    features = job.recipe.freeze and pixels.dtype == np.float32 and pixels.ndim == 2
    if not features and (pixels.dtype != np.uint8 or pixels.ndim != 4):
        raise MammoscanError(
            f"pixels: found {pixels.dtype} of shape {pixels.shape}, expected uint8 [N, H, W, C]; pack them again"
        )
    if job.recipe.freeze or job.recipe.phases is not None:
        find_backbone(job.recipe.network.name, "freeze" if job.recipe.freeze else "phases")
    if features and job.random_views:
        raise MammoscanError(
            "views.training: found random with recipe.freeze, expected none: features are computed once, of the image "
            "as it is; set views.training to none, or recipe.freeze to false"
        )
    if len(targets) != len(pixels):
        raise MammoscanError(
            f"targets: found {len(targets)} for {len(pixels)} images, expected one an image; pack them again"
        )
    if len(job.training_rows) == 0:
        raise MammoscanError(
            "training rows: found none, expected at least one; check the split and the balance"
        )
    for name, rows in (("training", job.training_rows), ("validation", job.validation_rows)):
        if len(rows) == 0:
            continue
        if rows.min() < 0 or rows.max() >= len(pixels):
            raise MammoscanError(
                f"{name} rows: found positions {rows.min()} to {rows.max()}, expected 0 to {len(pixels) - 1}; "
                "the split belongs to other samples"
            )
        found = targets[rows]
        if found.min() < 0 or found.max() >= job.outputs:
            raise MammoscanError(
                f"targets of the {name} rows: found {found.min()} to {found.max()}, expected 0 to "
                f"{job.outputs - 1}; check question.labels"
            )


def describe_job(job: Job, epochs: int, engine: str) -> dict[str, Any]:
    """Write down all that a training's bits depend on.

    Args:
        job: The training.
        epochs: How many it may take.
        engine: The engine's name.

    Returns:
        Nested keys, equal for equal trainings. Images are not hashed here: the caller's fingerprint of the data
        set stands for them.
    """
    images = len(job.input_shape) == 3
    rows = {"training": job.training_rows, "validation": job.validation_rows}
    return {
        "recipe": job.recipe.model_dump(mode="json") | {"epochs": epochs},
        "weights": fingerprint_weights(job.recipe.network, job.input_shape) if images else "none",
        "views": {"training": "random" if job.random_views else "none"},
        "machine": {
            "engine": engine,
            "precision": job.precision,
            "device": job.device.name,
            "deterministic": job.deterministic,
        },
        "images": {"shape": list(job.pixels.shape), "labels": job.outputs},
        "rows": {name: _hash(part) for name, part in rows.items()},
        "targets": {name: _hash(job.targets[part]) for name, part in rows.items()},
    }


def _hash(values: NDArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]


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
    on_epoch: Callable[[Epoch], None] | None = None,
    checkpoint: Path | None = None,
    fingerprint: dict[str, Any] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    rates: Sequence[float] | None = None,
) -> tuple[keras.Model, History]:
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
        on_epoch: Called after each epoch with its scores.
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
    return model, History(
        **training.summarise(),
        parameters=int(model.count_params()),
        network=recipe.network.name,
        engine=engine.name,
        precision=machine.precision,
        device=device,
        images=len(training_rows),
        seconds=time.perf_counter() - started,
    )
