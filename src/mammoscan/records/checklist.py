"""A checklist for authors and reviewers, filled in as far as a run knows."""

from __future__ import annotations

from mammoscan.records.base import Record


class ChecklistItem(Record):
    """One item.

    Attributes:
        part: The part of a paper that it belongs to.
        claim: Its number in CLAIM 2024; empty where CLAIM has no such item.
        tripod: Its number in TRIPOD+AI; empty where TRIPOD+AI has none.
        item: What is to be reported.
        answer: What the run's records say; empty where only the author knows.
        missing: What the author has to add to the answer, or to say in its place; empty where nothing.
    """

    part: str
    claim: str
    tripod: str
    item: str
    answer: str
    missing: str


class Checklist(Record):
    """The items in order, and of which study they are."""

    study: str
    items: tuple[ChecklistItem, ...]

    @property
    def filled(self) -> int:
        """How many items the run answers, at least in part."""
        return sum(bool(item.answer) for item in self.items)
