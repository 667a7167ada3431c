"""The studies, and the typed parameters that each of their blocks must satisfy.

A study's *record* holds what the graph must know before any parameter is read: its data set, its protocol and
its number of folds. Everything else is a parameter: a block of ``conf/base/parameters_<study>.yml`` that one of
the classes below checks before the first node runs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Block(BaseModel):
    """A block of parameters: unknown keys are refused, and nothing changes it once it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def __str__(self) -> str:
        """Return compact JSON, which is what a tracking page shows for the block."""
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":"))


class PhantomParams(Block):
    """How much of the synthetic stand-in is made, and from which seed."""

    patients: int = Field(161, ge=8, le=5000)
    seed: int = Field(7, ge=0)
    workers: int = Field(2, ge=1, le=64)


class ScanGridParams(Block):
    """The grid on which scans are standardised once, and from which windows are cut."""

    size: int = Field(192, ge=32, le=1024)
    margin: int = Field(2, ge=0, description="grid pixels by which the breast mask is grown")


class Question(Block):
    """What is asked of every sample.

    ``labels`` are in the order of the network's outputs; ``positive`` is the one whose recall matters.
    ``groups`` are the abnormality classes that are asked about; empty means all of them. ``title`` and ``unit``
    (what a sample is called, in the plural) are a report's words.
    """

    title: str = ""
    text: str
    unit: str = "images"
    about: Literal["severity", "abnormality", "severity_or_normal"]
    labels: tuple[str, ...] = Field(min_length=2)
    positive: str
    groups: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _positive_is_a_label(self) -> Question:
        if self.positive not in self.labels:
            raise ValueError(f"positive is {self.positive!r}, expected one of labels {list(self.labels)}")
        return self


class CropParams(Block):
    """How a region becomes an image.

    ``window`` cuts a fixed physical window from the standardised grid; ``radius`` is the articles' own crop of the
    square of the annotated radius out of the raw scan, resized.
    """

    kind: Literal["window", "radius"]
    size: int = Field(48, ge=8, le=512)
    normals_per_scan: int = Field(3, ge=1, le=20)
    seed: int = Field(0, ge=0)


class ViewParams(Block):
    """Which of the eight views of a square image are used, and where.

    ``stored`` views become samples of their own: ``one`` (as it is), ``eight`` (the distinct ones) or ``twelve``
    (the article's list, which repeats four). ``training`` views are drawn for each image in each epoch;
    ``prediction`` averages the probabilities of all eight.
    """

    stored: Literal["one", "eight", "twelve"] = "one"
    training: Literal["none", "random"] = "random"
    prediction: bool = True


class SplitParams(Block):
    """How samples are divided.

    ``together`` names what is never divided: a ``patient``, a ``region`` (all views of it) or an ``image``.
    With one fold ``test_fraction`` of the units is test. ``validation_fraction`` of the training side's units
    chooses the epoch, unless ``choose_epoch_on`` is ``test``, which is what the articles did.
    ``file`` is a table in the layout of the ``folds`` entry which replaces the drawn one. ``folds`` stands here to be
    read; the graph is built before any parameter is, so it must be the number in the study's record.
    """

    folds: int = Field(1, ge=1)
    together: Literal["patient", "region", "image"] = "patient"
    test_fraction: float = Field(0.25, gt=0, lt=1)
    validation_fraction: float = Field(0.2, ge=0, lt=1)
    choose_epoch_on: Literal["validation", "test"] = "validation"
    seed: int = Field(0, ge=0)
    file: Path | None = None


class BalanceParams(Block):
    """How classes are made even: not at all, the article's class-balanced or its fully balanced way."""

    method: Literal["none", "class", "full"] = "none"
    seed: int = Field(0, ge=0)


class Recipe(Block):
    """A training recipe: all that changes the trained weights, besides the data and the network."""

    network: str = "small_cnn"
    epochs: int = Field(ge=1)
    patience: int | None = Field(None, ge=1)
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    optimizer: Literal["adam", "sgd"] = "adam"
    scale: Literal["unit", "standard"] = "unit"
    monitor: Literal["loss", "accuracy", "auc"] = "loss"
    class_weights: Literal["none", "balanced"] = "none"
    seed: int = Field(0, ge=0)


class MachineParams(Block):
    """How a machine runs a recipe; none of it may change what is learnt, but for rounding."""

    engine: Literal["auto", "fit"] = "auto"
    device: Literal["auto", "cpu", "gpu"] = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    deterministic: bool = True
    resume: bool = False


class EvaluationParams(Block):
    """How the predictions are measured."""

    threshold: float = Field(0.5, gt=0, lt=1)
    resamples: int = Field(2000, ge=20)
    level: float = Field(0.95, gt=0.5, lt=1)
    seed: int = Field(0, ge=0)
    metadata_columns: tuple[str, ...]


@dataclass(frozen=True)
class Study:
    """What the graph must know about a study before any parameter is read.

    Attributes:
        name: Namespace of all its entries, e.g. ``mias`` or ``mias_author.without_copies``.
        dataset: Namespace of the data set that it reads.
        protocol: ``patient`` keeps patients apart and trains a final model; ``author`` repeats an article.
        folds: Number of divisions; an ``author`` study that repeats an article has one.
    """

    name: str
    dataset: str
    protocol: Literal["patient", "author"]
    folds: int


# What the article reports on the side: calcifications unbalanced and without copies.
SIDE_CLAIM = "unbalanced"
ABLATION = (
    "without_copies",
    "without_rotations",
    "without_crop_scale",
    "without_epoch_choice",
    "without_any",
)
EXPERIMENTS = tuple(
    f"{group}_{balance}"
    for group in ("calcifications", "masses", "all_classes")
    for balance in ("class", "full")
)

STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        Study("mias", "mias", "patient", 5),
        Study("mias_normal", "mias", "patient", 5),
        Study("mias_author", "mias", "author", 1),
        # Where regions stay on one side, a single split tests a handful of them: four folds test all.
        *(
            Study(
                f"mias_author.{name}",
                "mias",
                "author",
                4 if name in ("without_rotations", "without_any") else 1,
            )
            for name in ABLATION
        ),
        Study(f"mias_author.{SIDE_CLAIM}", "mias", "author", 1),
        *(Study(f"mias_author_all.{name}", "mias", "author", 1) for name in EXPERIMENTS),
    )
}
