"""Somebody else's predictions, division or images: the pipelines evaluate, audit and external."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from mammoscan.params.base import Block
from mammoscan.params.evaluation import EvaluationParams


def split_list(value: Any) -> Any:
    """Return the parts of a text such as ``a+b``, which is how a list is written behind ``--params``."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in re.split(r"[,+]", value.strip("[] ")) if part.strip())


class EvaluateParams(Block):
    """A table of truth and scores, wherever they come from."""

    predictions: str | None = Field(
        None,
        description="a CSV, TSV, Parquet, JSON Lines or Excel table of truth and scores, one row per image",
    )
    against: str | None = Field(
        None,
        description="a second such table, of another model on the same images, which is compared with the first",
    )
    title: str = Field("", description="title of the report; when empty, the name of the file")
    unit: str = Field("images", description="what a row is called in the report, in the plural")
    truth: str = Field("label", description="column of the true label")
    score: str | None = Field(
        None,
        description="column of the positive label's score, where there are two labels; when null, each label has a "
        "column of its own, see `scores`",
    )
    scores: str = Field(
        "p_{label}", description="name of each label's column of scores, with `{label}` for the label"
    )
    score_max: float = Field(
        1.0, gt=0, description="the score that means certainty: 1 for probabilities, 100 for per cent"
    )
    logits: bool = Field(
        False,
        description="whether the scores are a network's outputs before softmax (or, of one column, before the "
        "logistic function)",
    )
    labels: tuple[str, ...] = Field(
        (),
        description="the labels; when empty, those of the columns of scores, or of the truth where `score` is set",
    )
    positive: str | None = Field(
        None, description="the label whose recall matters; when null, the last one of `labels`"
    )
    sample: str = Field(
        "sample_id", description="column of the image's name; a table without it has one image per row"
    )
    patient: str | None = Field(
        "patient_id",
        description="column of the patient; null where patients are unknown, which the report then says",
    )
    fold: str | None = Field(
        "fold",
        description="column of the fold, where each fold's model scored its own images; a table without it is of one "
        "model",
    )
    model: str | None = Field(
        "model",
        description="column that tells several models apart; `cnn` is the one that is reported, all others are "
        "baselines; a table without it is of one model",
    )
    subgroups: tuple[str, ...] = Field(
        (),
        description="columns within which the model is measured, too; on the command line with plus signs between",
    )
    evaluation: EvaluationParams = Field(description="how the scores are measured, as in every study")

    @field_validator("labels", "subgroups", mode="before")
    @classmethod
    def _one_text_is_a_list(cls, value: Any) -> Any:
        return split_list(value)

    @model_validator(mode="after")
    def _scores_are_named_by_label(self) -> EvaluateParams:
        if "{label}" not in self.scores:
            raise ValueError(f"scores is {self.scores!r}, expected {{label}} in it, e.g. p_{{label}}")
        return self


class AuditParams(Block):
    """A published or private division of images into training, validation and test side."""

    table: str | None = Field(
        None, description="a CSV, TSV, Parquet, JSON Lines or Excel table of the division, one row per image"
    )
    images: str | None = Field(
        None,
        description="the folder that the paths in the table count from; null means the table's own, or where its "
        "absolute paths lead",
    )
    title: str = Field("", description="title of the page; when empty, the name of the table")
    image: str = Field("path", description="column of the image's path")
    side: str = Field(
        "side",
        description="column of the side: `train`, `val` and `test` in any usual spelling, or the number of the fold in "
        "which the image is tested",
    )
    patient: str | None = Field(
        "patient_id", description="column of the patient; null where patients are unknown"
    )
    label: str | None = Field("label", description="column of the label; a table without it has none")
    repair: Literal["move", "drop"] = Field(
        "move",
        description="how the corrected division is made: `move` puts all images that belong together on the side that "
        "has most of them; `drop` leaves the test side as it is and takes out of training what it shares with it",
    )
    size: int = Field(
        96, ge=32, le=1024, description="side in pixels at which the images are compared; larger takes longer"
    )
    workers: int = Field(4, ge=1, le=64, description="images decoded at the same time")
    shown: int = Field(24, ge=0, le=500, description="pairs of images on the page, at most")


class ExternalParams(Block):
    """A finished model, and labelled images that it was not trained on."""

    model: str | None = Field(
        None, description="the id of an MLflow run, `models:/name/version`, or a packaged model's folder"
    )
    source: str | None = Field(
        None,
        description="the images: a folder, an archive, an http(s) address, or a table of paths and labels",
    )
    images: str | None = Field(
        None, description="where `source` is a table, the folder of its images; null means the table's own"
    )
    image_column: str | None = Field(
        None, description="the table's column of paths; null finds it by its name"
    )
    label_from: str | None = Field(
        None, description="as in `images.label_from`; null finds the folders or the column that name labels"
    )
    patient_from: str | None = Field(
        None,
        description="as in `images.patient_from`; null finds a column or DICOM tag of patients, else they are unknown",
    )
    labels: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="what the images call the model's labels: `{Opacity: [PNEUMONIA, 1]}`; on the command line "
        "`Opacity=PNEUMONIA+1;Normal=0`; not needed where they differ in case alone",
    )
    subgroups: tuple[str, ...] = Field(
        (),
        description="columns of the table within which the model is measured; on the command line with plus signs "
        "between",
    )
    resamples: int = Field(2000, ge=20, description="bootstrap resamples of patients behind each interval")
    seed: int = Field(0, ge=0, description="seed of the resampling")

    @field_validator("subgroups", mode="before")
    @classmethod
    def _one_text_is_a_list(cls, value: Any) -> Any:
        return split_list(value)

    @field_validator("labels", mode="before")
    @classmethod
    def _read_a_map_in_one_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            pairs = (part.partition("=") for part in value.split(";") if part.strip())
            return {label.strip(): split_list(names) for label, _, names in pairs}
        if isinstance(value, dict):
            return {
                str(label): tuple(map(str, names if isinstance(names, list | tuple) else [names]))
                for label, names in value.items()
            }
        return value
