"""Which trained model is used, and on what."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mammoscan.studies.block import Block


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
