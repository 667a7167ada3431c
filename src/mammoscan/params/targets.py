"""Questions whose answer is no label: a number, an ordered level, or several findings at once."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mammoscan.params.base import Block

MIN_LEVELS = 3


class TargetQuestion(Block):
    """What is to be predicted where images have no labels that exclude each other."""

    kind: Literal["numbers", "levels"] = Field(
        description="`numbers`: a number, e.g. an age; `levels`: labels in an order, e.g. a grade"
    )
    title: str = Field("", description="title of the report")
    text: str = Field(description="the question in words, for the report")
    unit: str = Field("images", description="what a sample is called in the report, in the plural")
    about: str = Field("label", description="column that holds the number or the level")
    quantity: str = Field("value", description="what is predicted, in a word or two, e.g. `age`")
    measured_in: str = Field("", description="the unit of a number, e.g. `years`")
    levels: tuple[str, ...] = Field((), description="with `levels`: their names, the lowest first")

    @model_validator(mode="after")
    def _levels_suit_the_kind(self) -> TargetQuestion:
        if self.kind == "numbers" and self.levels:
            raise ValueError(
                f"levels is {list(self.levels)} with the kind numbers, expected none; set kind to levels"
            )
        if self.kind == "levels" and (
            len(set(self.levels)) < MIN_LEVELS or len(set(self.levels)) < len(self.levels)
        ):
            raise ValueError(
                f"levels is {list(self.levels)}, expected at least {MIN_LEVELS} different ones, the lowest first; two "
                "levels are a question of kind classes"
            )
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """The levels; numbers have none."""
        return self.levels

    @property
    def positive(self) -> str:
        """No level is the one that matters."""
        return ""

    @property
    def headline(self) -> str:
        """The measure that a report leads with."""
        return "kappa" if self.kind == "levels" else "r2"
