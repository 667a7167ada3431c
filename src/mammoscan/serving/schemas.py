"""What the service answers, in the terms of its OpenAPI description."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from mammoscan.records.card import Card


class ScanPlace(BaseModel):
    """A place of a whole scan to look at. All lengths are in pixels of the scan as it was sent."""

    rank: int = Field(description="1 is the likeliest.")
    probability: float = Field(description="Calibrated probability of the positive label there.")
    x: float = Field(description="Centre from the left.")
    y: float = Field(description="Centre from below, as in mini-MIAS' notes.")
    row: float = Field(description="Centre from above.")
    column: float = Field(description="Centre from the left.")
    side: float = Field(description="Side of the window that the network saw.")


class ImageAnswer(BaseModel):
    """What the model says of one image, or why it could not be asked."""

    name: str = Field(description="The file's name, as it was sent.")
    error: str | None = Field(
        default=None, description="Why there is no answer: one line. All else is then empty."
    )
    label: str | None = Field(
        default=None, description="The answer: the label that the threshold, or the likeliest, gives."
    )
    probabilities: dict[str, float] = Field(
        default={}, description="Calibrated probability of each label; they sum to 1."
    )
    positive: str | None = Field(default=None, description="The label that the threshold is about.")
    threshold: float | None = Field(
        default=None, description="From which probability on the answer is `positive`."
    )
    warnings: list[str] = Field(
        default=[], description="What to know about this image before believing the answer."
    )
    notes: list[str] = Field(default=[], description="What was done to the image on the way to the network.")
    places: list[ScanPlace] = Field(default=[], description="Of a whole scan: the places to look at.")
    size: list[int] | None = Field(default=None, description="Of a whole scan: its width and height.")
    seen: str | None = Field(
        default=None, description="With `explain`: what the network saw, a PNG as a data URI."
    )
    heat_map: str | None = Field(
        default=None,
        description="With `explain`: which parts of `seen` spoke for the answer, a transparent PNG as a data URI.",
    )


class ModelName(BaseModel):
    """Which model answered."""

    id: str = Field(
        description="The MLflow run that trained the model, or the folder that it was loaded from."
    )
    study: str = Field(description="The study that it belongs to.")
    data: str = Field(description="What it was trained on: `real`, `modified` or `phantom`.")
    protocol: str = Field(
        description="How patients were divided: `patient`, or `author` with the article's leaks."
    )
    runtime: str = Field(description="What computes: `keras` or `onnx`.")


class PredictAnswer(BaseModel):
    """The answer to a request: one result a file, in the order they were sent."""

    model: ModelName
    notice: str = Field(description="For what the model is not meant.")
    cautions: list[str] = Field(description="Why this model's answers must not be relied on, if so.")
    results: list[ImageAnswer]


class ModelAnswer(BaseModel):
    """The model and what the service allows."""

    model: ModelName
    notice: str
    cautions: list[str]
    threshold_meaning: str | None = Field(description="The threshold in words.")
    limits: dict[str, float] = Field(description="Most of each that a request may hold.")
    card: Card = Field(description="The model's card: data, protocol, metrics, limits, how to repeat.")


class HealthAnswer(BaseModel):
    """Whether the service works."""

    status: str = "ok"
    model: str = Field(description="The model's id.")
    inside: int = Field(description="Images that are read, wait or are classified now.")
    images: int = Field(description="Images classified since the start.")
    calls: int = Field(description="Calls of the model since the start.")


# What the request handler reads itself, and FastAPI therefore cannot tell.
PREDICT_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["images"],
                    "properties": {
                        "images": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "PNG, JPEG, PGM, TIFF or DICOM; one or many parts of this name.",
                        }
                    },
                }
            }
        },
    }
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The body is no valid form, or holds too many files."},
    408: {"description": "The images did not arrive in time."},
    413: {"description": "The request is larger than the service allows."},
    422: {"description": "No image could be read. The answer has the same form and says why, file by file."},
    503: {
        "description": "The service is busy. The header Retry-After says after how many seconds to ask again."
    },
}
