"""Which views are used, and how samples are divided and made even."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from mammoscan.studies.block import Block


class ViewParams(Block):
    """Which of the eight views of a square image are used, and where.

    ``stored`` views become samples of their own: ``one`` (as it is), ``eight`` (the distinct ones) or ``twelve``
    (the article's list, which repeats four). ``training`` views are drawn for each image in each epoch;
    ``prediction`` averages the probabilities of all eight.
    """

    stored: Literal["one", "eight", "twelve"] = "one"
    training: Literal["none", "random"] = "random"
    prediction: bool = True


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
    """How classes are made even: not at all, the article's class-balanced or its fully balanced way."""

    method: Literal["none", "class", "full"] = "none"
    seed: int = Field(0, ge=0)
