"""What is asked of every sample, and how the answers are measured."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from mammoscan.params.base import Block

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


class ThresholdParams(Block):
    """From which probability on the answer is the positive label.

    ``fixed`` says ``at`` itself. The other rules choose it on out-of-fold predictions: ``sensitivity`` takes the
    highest threshold that finds the share ``at`` of the positives, ``youden`` the largest sum of sensitivity and
    specificity, ``cost`` the least cost where a miss is worth ``at`` false alarms. ``prevalence`` is the share of
    positives where the model is meant to be used: predictive values and costs are stated for it.
    """

    rule: Literal["fixed", "sensitivity", "youden", "cost"] = "fixed"
    at: float = Field(default=0.5, gt=0)
    prevalence: float = Field(default=0.1, gt=0, lt=1)

    @model_validator(mode="after")
    def _at_suits_the_rule(self) -> ThresholdParams:
        if (self.rule == "fixed" and self.at >= 1) or (self.rule == "sensitivity" and self.at > 1):
            raise ValueError(
                f"threshold.at is {self.at:g}, expected {'less than' if self.rule == 'fixed' else 'at most'} 1 "
                f"with the rule {self.rule}"
            )
        return self


class EvaluationParams(Block):
    """How the predictions are measured.

    A bare number as ``threshold`` is a fixed one. ``in_distribution_share`` is the share of training
    images that count as in distribution: an image that lies farther off is flagged.
    """

    threshold: ThresholdParams = ThresholdParams()
    in_distribution_share: float = Field(0.99, gt=0.5, lt=1)
    resamples: int = Field(2000, ge=20)
    level: float = Field(0.95, gt=0.5, lt=1)
    seed: int = Field(0, ge=0)
    metadata_columns: tuple[str, ...]

    @field_validator("threshold", mode="before")
    @classmethod
    def _a_number_is_fixed(cls, value: Any) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return {"rule": "fixed", "at": value} if is_number else value

    @property
    def cut(self) -> float:
        """The threshold of measures that are not about the choice of one: the fixed one, or even odds."""
        return self.threshold.at if self.threshold.rule == "fixed" else 0.5
