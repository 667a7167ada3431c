"""The search for a recipe."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from mammoscan.params.base import Block
from mammoscan.params.protocol import ViewParams
from mammoscan.params.training import Recipe

# The views in training are not of the recipe, but are searched with it.
VIEWS = "views"
SEARCHED = (
    *("learning_rate", "batch_size", "optimizer", "class_weights", "epochs", "patience", "scale", "monitor"),
    VIEWS,
)


class NumberRange(Block):
    """A range of numbers, both ends included."""

    low: float = Field(description="lowest value")
    high: float = Field(description="highest value")
    log: bool = Field(False, description="draw the logarithm uniformly; `low` must then be above 0")
    whole: bool = Field(False, description="whole numbers only")

    @model_validator(mode="after")
    def _low_is_lower(self) -> NumberRange:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"from {self.low:g} to {self.high:g} is no range; with log it begins above 0")
        return self

    def list_ends(self) -> list[Any]:
        """Return the values that every other one lies between."""
        return [int(end) if self.whole else end for end in (self.low, self.high)]

    def holds(self, value: Any) -> bool:
        """Whether a value can be drawn."""
        return isinstance(value, int | float) and self.low <= value <= self.high


class Choices(Block):
    """A list of values to choose from."""

    choices: tuple[str | int | float | None, ...] = Field(min_length=1, description="the values")

    def list_ends(self) -> list[Any]:
        """Return all values."""
        return list(self.choices)

    def holds(self, value: Any) -> bool:
        """Whether a value can be drawn."""
        return value in self.choices


class SearchParams(Block):
    """The search for a recipe, in each fold among its training patients alone."""

    trials: int = Field(20, ge=1, description="recipes tried in each fold; the first is the study's own")
    startup: int = Field(
        8,
        ge=0,
        description="the trials after the first that are drawn at random, before the search learns from them",
    )
    inner_folds: int = Field(
        3, ge=2, le=10, description="folds of the training patients on which each recipe is measured"
    )
    measure: Literal["auc", "loss", "accuracy"] = Field(
        "auc", description="what is measured, on all inner test sets together"
    )
    seed: int = Field(0, ge=0, description="seed of the inner folds and of the recipes drawn")
    ranges: dict[str, NumberRange | Choices | None] = Field(
        description="a range for each key that is searched: "
        + ", ".join(f"`{key}`" for key in SEARCHED)
        + " (`views` is `views.training`); null leaves the key as the recipe has it"
    )

    @model_validator(mode="after")
    def _every_recipe_is_one(self) -> SearchParams:
        if not self.list_ranges():
            raise ValueError(f"search.ranges is empty, expected at least one of: {', '.join(SEARCHED)}")
        for key, values in self.list_ranges().items():
            if key not in SEARCHED:
                raise ValueError(
                    f"search.ranges.{key}: cannot be searched, expected one of: {', '.join(SEARCHED)}"
                )
            for value in values.list_ends():
                try:
                    apply_values({key: value}, Recipe.model_validate({"epochs": 1}), ViewParams())
                except ValidationError as error:
                    expected = error.errors(include_url=False)[0]["msg"].removeprefix("Input should be ")
                    raise ValueError(f"search.ranges.{key} holds {value!r}, expected {expected}") from error
        return self

    def list_ranges(self) -> dict[str, NumberRange | Choices]:
        """Return the ranges that are searched."""
        return {key: values for key, values in self.ranges.items() if values is not None}


def apply_values(values: dict[str, Any], recipe: Recipe, views: ViewParams) -> tuple[Recipe, ViewParams]:
    """Return a recipe and its views with some values of a trial in their places."""
    own = {key: value for key, value in values.items() if key != VIEWS}
    changed = {"training": values[VIEWS]} if VIEWS in values else {}
    return Recipe(**recipe.model_dump() | own), ViewParams(**views.model_dump() | changed)


def read_values(keys: list[str], recipe: Recipe, views: ViewParams) -> dict[str, Any]:
    """Return what a recipe and its views hold under the names of a search."""
    return {key: views.training if key == VIEWS else getattr(recipe, key) for key in keys}
