"""What so many patients can show."""

from __future__ import annotations

from mammoscan.records.base import Record


class ExpectedWidth(Record):
    """The width of an interval to be expected where the measure has ``value``; None where it cannot be computed."""

    value: float
    width: float | None


class SampleSize(Record):
    """What so many patients can show, whatever the network.

    Attributes:
        positive: Patients that have a sample of the positive label; images where patients are unknown.
        negative: Those that have one of another label.
        level: Of the intervals.
        folds: How many networks are cross-validated: several count the variance of training too.
        auc: Expected widths of the interval of the AUC.
        sensitivity: Those of the interval of the sensitivity.
        specificity: Those of the interval of the specificity.
        wanted: Width of the interval of an AUC of 0.8 that ``needed`` is for.
        needed: Patients in all that it takes, at these shares of the labels.
    """

    positive: int
    negative: int
    level: float
    folds: int
    auc: tuple[ExpectedWidth, ...]
    sensitivity: tuple[ExpectedWidth, ...]
    specificity: tuple[ExpectedWidth, ...]
    wanted: float
    needed: int | None
