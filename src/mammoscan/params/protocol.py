"""Which views are used, and how samples are divided and made even."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from mammoscan.params.base import Block


class ViewParams(Block):
    """Which of the eight views of a square image are used, and where.

    ``stored`` views become samples of their own: ``one`` (as it is), ``eight`` (the distinct ones) or ``twelve``
    (the article's list, which repeats four). ``training`` views are drawn for each image in each epoch;
    ``prediction`` averages the probabilities of all eight.
    """

    stored: Literal["one", "eight", "twelve"] = "one"
    training: Literal["none", "random"] = "random"
    prediction: bool = True

    @property
    def used(self) -> bool:
        """Whether any image is shown to the network turned or mirrored."""
        return self.stored != "one" or self.training != "none" or self.prediction


class SplitParams(Block):
    """How samples are divided.

    ``together`` names what is never divided: a ``patient``, a ``region`` (all views of it) or an ``image``;
    ``published`` takes the division in the samples' column of that name, whatever it divides.
    With one fold ``test_fraction`` of the units is test. ``validation_fraction`` of the training side's units
    chooses the epoch, unless ``choose_epoch_on`` is ``test``, which is what the articles did.
    ``file`` is a table in the layout of the ``folds`` entry which replaces the drawn one. ``folds`` stands here to be
    read; the graph is built before any parameter is, so it must be the number in the study's record.
    """

    folds: int = Field(1, ge=1)
    together: Literal["patient", "region", "image", "published"] = "patient"
    test_fraction: float = Field(0.25, gt=0, lt=1)
    validation_fraction: float = Field(0.2, ge=0, lt=1)
    choose_epoch_on: Literal["validation", "test"] = "validation"
    seed: int = Field(0, ge=0)
    file: Path | None = None


class BalanceParams(Block):
    """How classes are made even.

    ``none``, the mini-MIAS article's ``class`` (within each group) or ``full`` (all groups too), or ``label``: each
    label is cut to the smallest, or to ``most`` images of it where there are so many.
    """

    method: Literal["none", "class", "full", "label"] = "none"
    most: int | None = Field(None, ge=1)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _most_suits_the_method(self) -> BalanceParams:
        if self.most is not None and self.method != "label":
            raise ValueError(
                f"balance.most is {self.most} with the method {self.method}, expected it with label only"
            )
        return self
