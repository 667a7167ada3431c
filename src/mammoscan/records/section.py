"""A section of a report: what one study, or one part of the work, says besides what every report says."""

from __future__ import annotations

from typing import Any

from mammoscan.records.base import Record

# A text, a number, nothing, or a measure (``value``, ``low``, ``high``).
Cell = str | int | float | dict[str, Any] | None


class Table(Record):
    """A table; its first column names the rows."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


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
