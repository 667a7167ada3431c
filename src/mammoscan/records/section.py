"""A section of a report: what one study, or one part of the work, says besides what every report says."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from mammoscan.records.base import Record

# A text, a number, nothing, or a measure (``value``, ``low``, ``high``).
Cell = str | int | float | dict[str, Any] | None


class Table(Record):
    """A table; its first column names the rows."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @model_validator(mode="after")
    def _every_row_fills_the_columns(self) -> Table:
        if wrong := {len(row) for row in self.rows} - {len(self.columns)}:
            raise ValueError(
                f"a row of {wrong.pop()} cells under {len(self.columns)} columns: {self.caption}"
            )
        return self


class Section(Record):
    """A section of a report.

    Attributes:
        title: Its heading.
        paragraphs: Sentences that stand first.
        tables: Tables below them.
        figures: Names of the report's figures that are shown here.
        folded: Whether it is closed until a reader opens it.
    """

    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[str, ...] = ()
    folded: bool = False
