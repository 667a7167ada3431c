"""What a training is given, checked and put in words."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.learning.engines import Job
from mammoscan.networks.table import find_backbone
from mammoscan.networks.weights import fingerprint_weights


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
            "device": job.device["name"],
            "deterministic": job.deterministic,
        },
        "images": {"shape": list(job.pixels.shape), "labels": job.outputs},
        "rows": {name: _hash(part) for name, part in rows.items()},
        "targets": {name: _hash(job.targets[part]) for name, part in rows.items()},
    }


def _hash(values: NDArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]
