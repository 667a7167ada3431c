"""The service's requests and answers, as its OpenAPI description has them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mammoscan.records.card import Card

EXAMPLE: Any = {
    "model": {
        "id": "1f0c2a…",
        "study": "mias",
        "data": "real",
        "protocol": "patient",
        "runtime": "keras",
    },
    "notice": "Research use. Not a medical device.",
    "cautions": [],
    "results": [
        {
            "name": "window.png",
            "label": "benign",
            "probabilities": {"benign": 0.71, "malignant": 0.29},
            "positive": "malignant",
            "threshold": 0.41,
            "out_of_distribution": False,
            "warnings": [],
            "notes": ["shrunk from 256 x 256 to 48 x 48 pixels and standardised over itself"],
        },
        {
            "name": "notes.txt",
            "error": "notes.txt is empty, expected PNG, JPEG, PGM, TIFF, BMP, WebP, GIF, DICOM or NIfTI",
        },
    ],
}


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
    """The model's answer about one image, or why there is none."""

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
    out_of_distribution: bool = Field(
        default=False,
        description="The image is unlike those that the model was trained on: its label and probabilities mean little.",
    )
    sha256: str | None = Field(
        default=None, description="Digest of the file, by which an answer can be rated."
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


class Refusal(BaseModel):
    """Why a request was refused."""

    detail: str


class PredictAnswer(BaseModel):
    """The answer to a request: one result per file, in the order they were sent."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

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
    limits: dict[str, float] = Field(description="Maximum of each in one request.")
    feedback: bool = Field(default=False, description="Whether answers can be rated at `/feedback`.")
    card: Card = Field(description="The model's card: data, protocol, metrics, limits, how to repeat.")


class OriginalAnswer(BaseModel):
    """The pixels of an image as they are in its file, without any window."""

    width: int
    height: int
    depth: int = Field(description="8 or 16 bits per value.")
    step: int = Field(description="Every how many pixels were kept; 1 unless the image is very large.")
    lowest: int = Field(description="Lowest value.")
    highest: int = Field(description="Highest value.")
    pixels: str = Field(
        description="A PNG as a data URI. Of 16 bits, red holds the upper byte of a grey level, green the lower one."
    )


class FeedbackRequest(BaseModel):
    """Whether an answer was right."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"sha256": "9f86d0…", "right": False}]}
    )

    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="The image's digest, from the answer.")
    right: bool


class HealthAnswer(BaseModel):
    """Whether the service works."""

    status: str = "ok"
    model: str = Field(description="The model's id.")
    inside: int = Field(description="Images that are decoded, wait or are classified now.")
    images: int = Field(description="Images classified since the start.")
    calls: int = Field(description="Calls of the model since the start.")


def _describe_form(many: bool) -> dict[str, Any]:
    """Return the OpenAPI description of a form of files, which the routes parse themselves."""
    file = {"type": "string", "format": "binary"}
    about = "PNG, JPEG, PGM, TIFF, BMP, WebP, GIF, DICOM or NIfTI; " + (
        "one or many parts of this name." if many else "one file."
    )
    images = {"type": "array", "items": file, "minItems": 1} if many else file
    schema = {
        "type": "object",
        "required": ["images"],
        "properties": {"images": images | {"description": about}},
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


PREDICT_BODY = _describe_form(many=True)
IMAGE_BODY = _describe_form(many=False)
REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {
        "model": Refusal,
        "description": "The body is no valid or no complete form, or holds too many files.",
    },
    403: {"model": Refusal, "description": "A web page of another origin sent it."},
    408: {"model": Refusal, "description": "The images did not arrive in time."},
    413: {"model": Refusal, "description": "The request is larger than the service allows."},
    421: {"model": Refusal, "description": "The service is not known under this host name."},
    422: {
        "model": Refusal,
        "description": "The image could not be read, or a field of the request is invalid.",
    },
    503: {
        "model": Refusal,
        "description": "The queue is full. The header Retry-After says after how many seconds to try again.",
    },
}
PREDICT_REFUSALS: dict[int | str, dict[str, Any]] = REFUSALS | {
    422: {
        "model": PredictAnswer | Refusal,
        "description": "No image could be read: the answer has its usual form and says why, file by file. Or a field "
        "of the request is invalid.",
    }
}
FEEDBACK_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "The body is no JSON."},
    403: REFUSALS[403],
    404: {"model": Refusal, "description": "No such answer was given."},
    413: REFUSALS[413],
    421: REFUSALS[421],
    422: {"model": Refusal, "description": "A field of the request is invalid."},
}
