"""Which finished runs are set side by side.

Which trained model is used, and on what.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator

from mammoscan.params.base import Block


class PredictParams(Block):
    """Which images are predicted, and by which model.

    ``images`` is a folder or a file. ``model`` is ``latest`` (the newest registered one), the id of an MLflow run,
    ``models:/…`` or a packaged model's folder. ``runtime`` is what computes. ``shown`` images at most are in the
    gallery.
    """

    study: str = "mias"
    images: str | None = None
    model: str = "latest"
    runtime: Literal["keras", "onnx"] = "keras"
    shown: int = Field(300, ge=0, le=5000)


class ExportParams(Block):
    """Which model is written as ONNX, and on how many of the study's images it is compared with the Keras one."""

    study: str = "mias"
    model: str = "latest"
    images: int = Field(256, ge=1)


class CompareParams(Block):
    """Which runs are compared, and how sure their differences are made.

    ``runs`` are ids of MLflow runs, as a list or as one text with spaces, commas or plus signs between them. Where
    there are none, ``filter`` (in MLflow's own language, e.g. ``tags.study = "mias"``) finds them. ``resamples``,
    ``level`` and ``seed`` are those of the paired intervals.
    """

    runs: tuple[str, ...] = ()
    filter: str | None = None
    resamples: int = Field(2000, ge=20)
    level: float = Field(0.95, gt=0.5, lt=1)
    seed: int = Field(0, ge=0)

    @field_validator("runs", mode="before")
    @classmethod
    def _one_text_is_a_list(cls, value: Any) -> Any:
        return (
            tuple(re.split(r"[\s,+]+", value.strip(" []")))
            if isinstance(value, str) and value
            else value or ()
        )
