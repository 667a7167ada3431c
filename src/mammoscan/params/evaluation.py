"""The question, and how predictions are measured."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from mammoscan.params.base import Block

Scalar = str | int | float


class Question(Block):
    """What is to be predicted, and for which samples."""

    title: str = Field("", description="title of the report")
    text: str = Field(description="the question in words, for the report")
    unit: str = Field("images", description="what a sample is called in the report, in the plural")
    about: str = Field(
        "label",
        description="column that holds the label; for mini-MIAS `severity`, `abnormality` or `severity_or_normal`",
    )
    labels: tuple[str, ...] = Field(
        min_length=2,
        description="the labels in the order of the network's outputs; or a map from each to what the data call it: "
        "`{Normal: [NORMAL, 0], Opacity: [PNEUMONIA, Pneumonia, 1]}`",
    )
    spellings: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="what the data call each label; filled in where `labels` is a map"
    )
    positive: str = Field(description="one of the labels: the one whose recall matters")
    groups: tuple[str, ...] = Field((), description="groups of samples that are kept; none means all")
    where: dict[str, Scalar | tuple[Scalar, ...]] = Field(
        default_factory=dict,
        description="keep images by other columns: `{magnification: 400}`, `{magnification: [40, 100]}`; `all` "
        "keeps all",
    )

    @model_validator(mode="before")
    @classmethod
    def _split_a_map_of_labels(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("labels"), dict):
            spellings = {
                str(label): tuple(map(str, names if isinstance(names, list | tuple) else [names]))
                for label, names in values["labels"].items()
            }
            return values | {"labels": tuple(spellings), "spellings": spellings}
        return values

    @model_validator(mode="after")
    def _a_spelling_means_one_label(self) -> Question:
        meant: dict[str, str] = {}
        for label, names in self.spellings.items():
            for name in names:
                if meant.setdefault(name, label) != label:
                    raise ValueError(
                        f"labels: {name!r} stands under {meant[name]} and {label}, expected one of them"
                    )
        return self

    @property
    def headline(self) -> str:
        """The measure that a report leads with."""
        return "auc"

    def map_labels(self) -> dict[str, str]:
        """Return the label of each spelling; a label is also a spelling of its own."""
        named = {name: label for label, names in self.spellings.items() for name in names}
        return {**{label: label for label in self.labels}, **named}

    @model_validator(mode="after")
    def _positive_is_a_label(self) -> Question:
        if self.positive not in self.labels:
            raise ValueError(f"positive is {self.positive!r}, expected one of labels {list(self.labels)}")
        return self


class ThresholdParams(Block):
    """The probability from which the prediction is the positive label."""

    rule: Literal["fixed", "sensitivity", "youden", "cost"] = Field(
        "fixed",
        description="`fixed` takes `at` itself; the others choose on out-of-fold predictions: `sensitivity` the "
        "highest threshold that finds the share `at` of the positives, `youden` the largest sum of sensitivity and "
        "specificity, `cost` the lowest cost where a missed positive costs `at` false positives",
    )
    at: float = Field(
        default=0.5, gt=0, description="`fixed`: the threshold, below 1; `sensitivity`: at most 1; see `rule`"
    )
    prevalence: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="share of positives where the model is to be used, for predictive values and costs",
    )

    @model_validator(mode="after")
    def _at_suits_the_rule(self) -> ThresholdParams:
        if (self.rule == "fixed" and self.at >= 1) or (self.rule == "sensitivity" and self.at > 1):
            raise ValueError(
                f"threshold.at is {self.at:g}, expected {'less than' if self.rule == 'fixed' else 'at most'} 1 "
                f"with the rule {self.rule}"
            )
        return self


class ScanReading(Block):
    """How whole scans are read window by window."""

    stride: int = Field(4, ge=1, le=64, description="grid pixels from one window to the next")
    findings: int = Field(10, ge=1, le=200, description="findings kept on each scan, at most")
    average_views: bool = Field(
        False, description="average the eight views of each window; takes eight times as long"
    )


class EvaluationParams(Block):
    """How predictions are measured."""

    threshold: ThresholdParams = Field(
        ThresholdParams(), description="the block below, or a bare number, which is a fixed threshold"
    )
    in_distribution_share: float = Field(
        0.99,
        gt=0.5,
        lt=1,
        description="share of the training images taken as in distribution; an image farther from them than that "
        "is reported as out of distribution",
    )
    resamples: int = Field(2000, ge=20, description="bootstrap resamples of patients behind each interval")
    level: float = Field(0.95, gt=0.5, lt=1, description="confidence level of the intervals")
    seed: int = Field(0, ge=0, description="seed of the resampling")
    explanation: Literal["gradcam", "occlusion"] = Field(
        "gradcam",
        description="how the report explains wrong predictions: `gradcam` needs TensorFlow and a convolution; "
        "`occlusion` covers place after place, takes longer and works with every network and backend",
    )
    metadata_columns: tuple[str, ...] = Field(
        (),
        description="columns of `samples` that the metadata baseline uses; columns that define the label are refused",
    )

    @field_validator("threshold", mode="before")
    @classmethod
    def _a_number_is_fixed(cls, value: Any) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return {"rule": "fixed", "at": value} if is_number else value

    @property
    def cut(self) -> float:
        """The threshold of measures that are not about the choice of one: the fixed one, or even odds."""
        return self.threshold.at if self.threshold.rule == "fixed" else 0.5
