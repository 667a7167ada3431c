"""The pipelines that use finished runs: predict, export and compare, and what is made on request."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator

from mammoscan.params.base import Block


class PredictParams(Block):
    """Which images are predicted, and by which model."""

    study: str = Field("mias", description="study whose model is used")
    images: str | None = Field(
        None, description="a file or a folder, which is searched with all folders below it"
    )
    model: str = Field(
        "latest",
        description="`latest` (the newest registered one), an MLflow run id, `models:/…` or a packaged model's folder",
    )
    runtime: Literal["keras", "onnx"] = Field(
        "keras", description="`onnx` needs the extra `onnx` and an exported model"
    )
    abstain: Literal["never", "out_of_distribution"] = Field(
        "never", description="which images get no answer: none, or those unlike the images of the training"
    )
    shown: int = Field(300, ge=0, le=5000, description="images in the gallery, at most")
    require_signature: str | None = Field(
        None, description="a public key; a model that `mammoscan sign` did not sign with it is refused"
    )


class PrivacyParams(Block):
    """What leaves the machine."""

    hash_ids: bool = Field(
        False,
        description="sample and patient identifiers, file names and folders stand in MLflow, reports, figures and "
        "cards only as hashes with the key in `conf/local/privacy.key`",
    )


class ExportParams(Block):
    """Which model is written as ONNX."""

    study: str = Field("mias", description="study whose model is exported")
    model: str = Field("latest", description="as in `predict.model`")
    images: int = Field(
        256, ge=1, description="number of the study's images on which the ONNX and the Keras model must agree"
    )


class SubsamplesParams(Block):
    """The mini-MIAS article's images as files."""

    size: int = Field(48, ge=8, le=1024, description="side of the images in pixels")


class CompareParams(Block):
    """Which runs are compared."""

    runs: tuple[str, ...] = Field(
        (),
        description="ids of MLflow runs, two to twelve; on the command line with plus signs, spaces or commas between",
    )
    filter: str | None = Field(
        None, description='MLflow filter that finds the runs if none are named, e.g. `tags.study = "mias"`'
    )
    resamples: int = Field(
        2000, ge=20, description="bootstrap resamples of patients behind each paired interval"
    )
    level: float = Field(0.95, gt=0.5, lt=1, description="confidence level of these intervals")
    seed: int = Field(0, ge=0, description="seed of the resampling")

    @field_validator("runs", mode="before")
    @classmethod
    def _one_text_is_a_list(cls, value: Any) -> Any:
        return (
            tuple(re.split(r"[\s,+]+", value.strip(" []")))
            if isinstance(value, str) and value
            else value or ()
        )
