"""What deciding by a model's probabilities is worth, threshold by threshold."""

from __future__ import annotations

from mammoscan.records.base import Record
from mammoscan.records.measures import Measure


class DecisionPoint(Record):
    """One threshold probability.

    Attributes:
        threshold: From which probability on a sample is called positive; it also says what a false positive costs.
        model: Net benefit of the network.
        call_all: Net benefit of calling every sample positive; that of calling none is 0.
        gain: The network's net benefit less the better of these two.
        others: Net benefit of the simple models.
    """

    threshold: float
    model: Measure
    call_all: float
    gain: Measure
    others: dict[str, float]


class DecisionCurve(Record):
    """Net benefit by threshold probability; without points where there are more than two labels.

    Attributes:
        positive: The label that is looked for.
        unit: What a sample is called, in the plural.
        prevalence: Share of the samples that have the positive label.
        samples: How many samples there are.
        patients: Of how many patients.
        level: Of the intervals.
        points: By rising threshold.
    """

    positive: str
    unit: str
    prevalence: float
    samples: int
    patients: int
    level: float
    points: tuple[DecisionPoint, ...] = ()
