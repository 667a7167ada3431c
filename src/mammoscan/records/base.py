"""The base of every record."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from mammoscan.errors import MammoscanError


class Record(BaseModel):
    """A typed record: unknown keys are refused, and nothing changes it once it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a JSON file and check it.

        Raises:
            MammoscanError: If it is not such a record.
        """
        try:
            return cls.model_validate_json(file.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the file"
            raise MammoscanError(
                f"{file}: {place}: {first['msg']}; expected a {cls.__name__}; run the pipeline that writes it again"
            ) from None
