"""Which views are used, and how samples are split and balanced."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from mammoscan.params.base import Block


class ViewParams(Block):
    """Which of the eight views (rotations and mirror images) of a square image are used, and where."""

    stored: Literal["one", "eight", "twelve"] = Field(
        "one",
        description="views of a region that become samples of their own; `twelve` is the article's list, which "
        "repeats four",
    )
    training: Literal["none", "random"] = Field(
        "random", description="`random` draws one of the eight views for each image in each epoch"
    )
    prediction: bool = Field(True, description="average the probabilities of all eight views")

    @property
    def used(self) -> bool:
        """Whether any image is shown to the network turned or mirrored."""
        return self.stored != "one" or self.training != "none" or self.prediction


class SplitParams(Block):
    """How samples are split into training, validation and test sets."""

    folds: int = Field(
        1,
        ge=1,
        description="number of folds; to be read, not changed: the graph is built before parameters are read, so "
        "it is the number in `studies.py`",
    )
    together: Literal["patient", "region", "image", "published"] = Field(
        "patient",
        description="what is never split; `published` takes the split in the data set's own folders, whatever it "
        "splits",
    )
    test_fraction: float = Field(
        0.25,
        gt=0,
        lt=1,
        description="share of the test set where there is one fold; with several, each tests its part",
    )
    validation_fraction: float = Field(
        0.2, ge=0, lt=1, description="share of the training set that is set aside to choose the epoch"
    )
    choose_epoch_on: Literal["validation", "test"] = Field(
        "validation", description="`test` is what the articles did"
    )
    seed: int = Field(0, ge=0, description="seed of the split")
    repeats: int = Field(
        0,
        ge=0,
        description="how often the cross-validation is repeated with another split, and as often with another training "
        "seed, to report their spread; each repeat takes as long as all folds",
    )
    lockbox: float = Field(
        0,
        ge=0,
        le=0.5,
        description="share of the patients that are set aside before anything else; the study's lockbox pipeline "
        "opens it, once",
    )
    lockbox_seed: int = Field(
        0,
        ge=0,
        description="seed of the lockbox; another `seed` or number of folds leaves the same patients aside",
    )
    file: Path | None = Field(
        None,
        description="a CSV file with a split of your own, in the layout of the entry `folds`; rows with the role "
        "`out` or `lockbox` in every fold stay out of everything",
    )

    @model_validator(mode="after")
    def _a_lockbox_holds_patients(self) -> SplitParams:
        if self.lockbox and self.together != "patient":
            raise ValueError(
                f"split.lockbox is {self.lockbox:g} with together {self.together}, expected together patient: only "
                "whole patients can be set aside"
            )
        return self


class BalanceParams(Block):
    """How samples are dropped to balance the classes."""

    method: Literal["none", "class", "full", "label"] = Field(
        "none",
        description="`class` cuts the larger severity of each group to the smaller; `full` cuts all groups to the "
        "smallest; `label` cuts each label to the smallest",
    )
    most: int | None = Field(
        None, ge=1, description="with the method `label`: images kept of each label, at most"
    )
    seed: int = Field(0, ge=0, description="seed for which samples are dropped")

    @model_validator(mode="after")
    def _most_suits_the_method(self) -> BalanceParams:
        if self.most is not None and self.method != "label":
            raise ValueError(
                f"balance.most is {self.most} with the method {self.method}, expected it with label only"
            )
        return self
