"""The base of every record."""

from __future__ import annotations

from pathlib import Path
from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mammoscan.errors import MammoscanError

Kind = TypeVar("Kind", bound=BaseModel)


class Record(BaseModel):
    """A typed record: unknown keys are refused, and nothing changes it once it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a JSON file and check it."""
        return read_record(cls, file)


def read_record(kind: type[Kind], file: Path) -> Kind:
    """Read a JSON file and check it.

    Raises:
        MammoscanError: If it is not such a record.
    """
    try:
        return kind.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise MammoscanError(
            f"{file}: {place}: {first['msg']}; expected a {kind.__name__}; run the pipeline that writes it again"
        ) from None
