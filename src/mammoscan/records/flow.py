"""The way of patients and images from what was found to the sides of each fold."""

from __future__ import annotations

from mammoscan.records.base import Record


class FlowCount(Record):
    """Some of the samples; ``patients`` is None where patients are unknown, ``labels`` counts samples."""

    samples: int
    patients: int | None
    labels: dict[str, int]


class FoldFlow(Record):
    """One fold: ``sides`` counts training, validation and test rows, and rows that this fold leaves out."""

    fold: int
    sides: dict[str, FlowCount]


class SampleFlow(Record):
    """The way of patients and images.

    Attributes:
        source_unit: What a file is called, in the plural.
        found: Files found.
        found_patients: Of how many patients; None where patients are unknown.
        rejected: What became no sample, by reason.
        unit: What a sample is called, in the plural.
        samples: The samples made of them.
        lockbox: Those set aside before anything else; None where there is no lockbox.
        unused: Those that no fold uses, the lockbox apart; None where every one is used.
        used: Those that the folds use.
        folds: In order.
    """

    source_unit: str
    found: int
    found_patients: int | None
    rejected: dict[str, int]
    unit: str
    samples: FlowCount
    lockbox: FlowCount | None
    unused: FlowCount | None
    used: FlowCount
    folds: tuple[FoldFlow, ...]
