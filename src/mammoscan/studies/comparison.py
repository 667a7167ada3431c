"""Which finished runs are set side by side."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field, field_validator

from mammoscan.studies.block import Block


class CompareParams(Block):
    """Which runs are compared, and how sure their differences are made.

    ``runs`` are ids of MLflow runs, as a list or as one text with spaces, commas or plus signs between them. Where
    there are none, ``filter`` (in MLflow's own language, e.g. ``tags.study = "mias"``) finds them. ``resamples``,
    ``level`` and ``seed`` are those of the paired intervals.
    """

    runs: tuple[str, ...] = ()
    filter: str | None = None
    resamples: int = Field(2000, ge=20)
    level: float = Field(0.95, gt=0.5, lt=1)
    seed: int = Field(0, ge=0)

    @field_validator("runs", mode="before")
    @classmethod
    def _one_text_is_a_list(cls, value: Any) -> Any:
        return (
            tuple(re.split(r"[\s,+]+", value.strip(" []")))
            if isinstance(value, str) and value
            else value or ()
        )
