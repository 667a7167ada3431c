"""Measures as the catalog, the report and MLflow hold them."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict


class Measure(TypedDict):
    """A measured value with its interval.

    Attributes:
        value: The value on the data; None where it is not defined.
        low: Lower end of the interval, None where there is none.
        high: Upper end.
        undefined: Resamples on which the measure was not defined; 0 where nothing was resampled.
        note: Empty unless the interval is not to be believed.
        method: How the interval was made and what it holds, e.g. ``bootstrap over patients, given these networks``.
    """

    value: float | None
    low: float | None
    high: float | None
    undefined: int
    note: str
    method: str


class FoldAreas(TypedDict):
    """Each fold's own AUC (None where a fold lacks a label), their mean and their standard deviation."""

    values: dict[str, float | None]
    mean: float | None
    spread: float | None


# Measures by name; besides ``samples``, ``patients``, ``labels`` (samples and patients of each) and ``fold_auc``.
ModelMetrics = dict[str, Any]
Metrics = dict[str, ModelMetrics]
