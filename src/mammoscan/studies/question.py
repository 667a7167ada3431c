"""What is asked of every sample, and how the answers are measured."""

from __future__ import annotations

from pydantic import Field, model_validator

from mammoscan.studies.block import Block

Scalar = str | int | float


class Question(Block):
    """What is asked of every sample.

    ``labels`` are in the order of the network's outputs; ``positive`` is the one whose recall matters.
    ``about`` is the column of the images that is asked about; of mini-MIAS ``severity``, ``abnormality`` or
    ``severity_or_normal``. ``groups`` are those that are asked about; empty means all of them. ``where`` keeps images
    by other columns, e.g. ``{magnification: 400}`` or ``{magnification: [40, 100]}``; ``all`` keeps all.
    ``title`` and ``unit`` (what a sample is called, in the plural) are a report's words.
    """

    title: str = ""
    text: str
    unit: str = "images"
    about: str = "label"
    labels: tuple[str, ...] = Field(min_length=2)
    positive: str
    groups: tuple[str, ...] = ()
    where: dict[str, Scalar | tuple[Scalar, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _positive_is_a_label(self) -> Question:
        if self.positive not in self.labels:
            raise ValueError(f"positive is {self.positive!r}, expected one of labels {list(self.labels)}")
        return self


class EvaluationParams(Block):
    """How the predictions are measured."""

    threshold: float = Field(0.5, gt=0, lt=1)
    resamples: int = Field(2000, ge=20)
    level: float = Field(0.95, gt=0.5, lt=1)
    seed: int = Field(0, ge=0)
    metadata_columns: tuple[str, ...]
