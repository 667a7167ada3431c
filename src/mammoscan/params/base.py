"""What every block of parameters is."""

from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict


class Block(BaseModel):
    """A block of parameters: unknown keys are refused, and nothing changes it once it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def __str__(self) -> str:
        """Return compact JSON, which is what a tracking page shows for the block."""
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":"))
