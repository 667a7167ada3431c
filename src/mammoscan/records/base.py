"""The base of every record."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A typed record: unknown keys are refused, and nothing changes it once it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)
