"""One training as every engine sees it: its images, its recipe and where it runs; checked, and written down."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.models import build_network
from mammoscan.models.architectures import find_backbone
from mammoscan.models.outputs import Task
from mammoscan.models.preprocessing import Scale, choose_scale
from mammoscan.models.weights import fingerprint_weights
from mammoscan.params import Recipe
from mammoscan.records.history import Device
from mammoscan.training.augmentation import NUMBERS, draw_order, draw_views, draw_warps

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class TrainingData:
    """What a network learns from.

    Attributes:
        pixels: uint8 ``[N, H, W, C]``, possibly memory-mapped; or, where ``recipe.freeze``, float32 ``[N, D]``: the
            features of the frozen backbone, from which the head alone is trained.
        targets: ``[N]`` index of each sample's label, or its number; or ``[N, findings]``, 1 where a finding is there,
            0 where it is not, NaN where nobody looked.
        training_rows: Positions to learn from.
        validation_rows: Positions to choose the epoch on; may be empty.
        n_labels: Number of labels or findings; 1 of numbers.
        task: What the targets are.
    """

    pixels: NDArray
    targets: NDArray
    training_rows: NDArray[np.integer]
    validation_rows: NDArray[np.integer]
    n_labels: int
    task: Task = "classes"


class EpochPlan(NamedTuple):
    """What an epoch shows, image by image.

    Attributes:
        order: Positions within the training rows.
        views: The view, 0 to 7.
        warps: ``[places, 8]``, how each image is warped; no rows where none is.
    """

    order: NDArray[np.int64]
    views: NDArray[np.int32]
    warps: NDArray[np.float32]


@dataclass(frozen=True)
class TrainingSetup:
    """One training.

    Attributes:
        pixels: uint8 ``[N, H, W, C]``, possibly memory-mapped; or float32 ``[N, D]``, features of a frozen backbone.
        targets: Of each sample, as in ``TrainingData``.
        weights: ``[N]`` weight of each sample in the loss.
        training_rows: Positions to learn from.
        validation_rows: Positions to choose the epoch on; may be empty.
        outputs: Number of labels or findings; 1 of numbers.
        recipe: What changes the trained weights.
        precision: ``float32`` or ``bfloat16``.
        random_views: Whether each image is shown in a view drawn anew in each epoch.
        device: Where to compute.
        deterministic: Whether equal input must give equal bits.
        batch_hooks: Keras callbacks with hooks for every batch.
        task: What the targets are.
    """

    pixels: NDArray
    targets: NDArray
    weights: NDArray[np.float32]
    training_rows: NDArray[np.int64]
    validation_rows: NDArray[np.int64]
    outputs: int
    recipe: Recipe
    precision: str
    random_views: bool
    device: Device
    deterministic: bool
    batch_hooks: tuple[keras.callbacks.Callback, ...] = ()
    task: Task = "classes"

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Height, width and channels of an image, or the number of features."""
        return self.pixels.shape[1:]

    @property
    def scale(self) -> Scale | None:
        """How images are scaled; None where features are read as they are."""
        return choose_scale(self.recipe) if len(self.input_shape) == 3 else None

    @property
    def starts_frozen(self) -> bool:
        """Whether a backbone is there and does not learn at first."""
        recipe = self.recipe
        return len(self.input_shape) == 3 and (recipe.freeze or recipe.phases is not None)

    def build_model(self, weights: str | None = None) -> keras.Model:
        """Build the recipe's network as it is before the first epoch.

        Args:
            weights: Replaces the recipe's, where they will be written over anyway.
        """
        network = self.recipe.network
        return build_network(
            network.name,
            self.input_shape,
            self.outputs,
            self.recipe.seed,
            precision=self.precision,
            weights=network.weights if weights is None else weights,
            task=self.task,
        )

    def draw_epoch(self, epoch: int) -> EpochPlan:
        """Return what an epoch shows."""
        count, seed = len(self.training_rows), self.recipe.seed
        views = draw_views(seed, epoch, count) if self.random_views else np.zeros(count, np.int32)
        warps = np.empty((0, NUMBERS), np.float32)
        if self.recipe.augmentation is not None:
            warps = draw_warps(self.recipe.augmentation, seed, epoch, count, *self.input_shape[:2])
        return EpochPlan(draw_order(seed, epoch, count), views, warps)


def compute_class_weights(
    targets: NDArray[np.integer], training_rows: NDArray[np.integer], n_labels: int, method: str
) -> tuple[float, ...] | None:
    """Compute each label's weight in the loss.

    Args:
        targets: ``[N]`` index of each sample's label.
        training_rows: The rows whose counts make the weights.
        n_labels: Number of labels.
        method: ``none`` weighs all alike; ``balanced`` gives every label the same sum, n / (labels * count).

    Returns:
        A weight per label; None if all weigh the same.
    """
    if method == "none":
        return None
    counts = np.bincount(np.asarray(targets)[training_rows], minlength=n_labels)
    return tuple((counts.sum() / (n_labels * np.maximum(counts, 1))).tolist())


def weigh_samples(
    targets: NDArray[np.integer], class_weights: tuple[float, ...] | None
) -> NDArray[np.float32]:
    """Return each sample's weight in the loss, ``[N]``."""
    if class_weights is None:
        return np.ones(len(targets), np.float32)
    return np.asarray(class_weights)[np.asarray(targets)].astype(np.float32)


# What a recipe may say of each task.
_LOSSES = {
    "classes": ("auto", "crossentropy", "binary_crossentropy", "focal"),
    "numbers": ("auto", "squared", "huber"),
    "findings": ("auto", "binary_crossentropy"),
}


def check_task(recipe: Recipe, task: Task) -> None:
    """Refuse what a recipe says of labels where a number or findings are predicted, and the other way round."""
    if recipe.loss not in _LOSSES[task]:
        raise MammoscanError(
            f"training.loss is {recipe.loss!r}, expected one of {', '.join(_LOSSES[task])} where {task} are predicted"
        )
    if task == "classes":
        return
    for key, allowed in (("monitor", "loss"), ("class_weights", "none"), ("label_smoothing", 0)):
        if getattr(recipe, key) != allowed:
            raise MammoscanError(
                f"training.{key} is {getattr(recipe, key)!r}, expected {allowed!r} where {task} are predicted"
            )


def check_setup(setup: TrainingSetup) -> None:
    """Refuse invalid training inputs."""
    pixels, targets = setup.pixels, setup.targets
    features = setup.recipe.freeze and pixels.dtype == np.float32 and pixels.ndim == 2
    if not features and (pixels.dtype != np.uint8 or pixels.ndim != 4):
        raise MammoscanError(
            f"pixels: found {pixels.dtype} of shape {pixels.shape}, expected uint8 [N, H, W, C]; pack them again"
        )
    if setup.recipe.freeze or setup.recipe.phases is not None:
        find_backbone(setup.recipe.network.name, "freeze" if setup.recipe.freeze else "phases")
    if features and setup.random_views:
        raise MammoscanError(
            "views.training: found random with recipe.freeze, expected none: features are computed once, of the image "
            "as it is; set views.training to none, or recipe.freeze to false"
        )
    if len(targets) != len(pixels):
        raise MammoscanError(
            f"targets: found {len(targets)} for {len(pixels)} images, expected one per image; pack them again"
        )
    if len(setup.training_rows) == 0:
        raise MammoscanError(
            "training rows: found none, expected at least one; check the split and the balance"
        )
    for name, rows in (("training", setup.training_rows), ("validation", setup.validation_rows)):
        if len(rows) == 0:
            continue
        if rows.min() < 0 or rows.max() >= len(pixels):
            raise MammoscanError(
                f"{name} rows: found positions {rows.min()} to {rows.max()}, expected 0 to {len(pixels) - 1}; "
                "the split belongs to other samples"
            )
        found = targets[rows]
        if setup.task != "classes":
            continue
        if found.min() < 0 or found.max() >= setup.outputs:
            raise MammoscanError(
                f"targets of the {name} rows: found {found.min()} to {found.max()}, expected 0 to "
                f"{setup.outputs - 1}; check question.labels"
            )


def describe_setup(setup: TrainingSetup, epochs: int, engine: str) -> dict[str, Any]:
    """Write down all that a training's bits depend on.

    Args:
        setup: The training.
        epochs: How many it may take.
        engine: The engine's name.

    Returns:
        Nested keys, equal for equal trainings. Images are not hashed here: the caller's fingerprint of the data
        set stands for them.
    """
    images = len(setup.input_shape) == 3
    rows = {"training": setup.training_rows, "validation": setup.validation_rows}
    return {
        "recipe": setup.recipe.model_dump(mode="json") | {"epochs": epochs},
        "weights": fingerprint_weights(setup.recipe.network, setup.input_shape) if images else "none",
        "views": {"training": "random" if setup.random_views else "none"},
        "machine": {
            "engine": engine,
            "precision": setup.precision,
            "device": setup.device.name,
            "deterministic": setup.deterministic,
        },
        "images": {"shape": list(setup.pixels.shape), "labels": setup.outputs}
        | ({} if setup.task == "classes" else {"task": setup.task}),
        "rows": {name: _hash(part) for name, part in rows.items()},
        "targets": {name: _hash(setup.targets[part]) for name, part in rows.items()},
    }


def _hash(values: NDArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]
