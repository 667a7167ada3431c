"""The report's section on net benefit."""

from __future__ import annotations

from collections.abc import Sequence

from mammoscan.records.decision_curve import DecisionCurve, DecisionPoint
from mammoscan.records.section import Section, Table
from mammoscan.reporting.render import say_paragraphs

# What the table shows of the curve.
SHOWN = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)


def build_decision_section(curve: DecisionCurve) -> Section:
    """Return the section; empty where nothing was measured."""
    title = "Net benefit"
    if not curve.points:
        return Section(title=title)
    low, high = curve.points[0].threshold, curve.points[-1].threshold
    paragraphs = say_paragraphs(
        "decision_curve",
        curve=curve,
        low=low,
        high=high,
        better=list_ranges(curve.points, 1),
        worse=list_ranges(curve.points, -1),
    )
    shown = [point for point in curve.points if any(abs(point.threshold - at) < 1e-9 for at in SHOWN)]
    table = Table(
        caption=f"Net benefit, as a share of the {curve.unit}; calling none has 0",
        columns=(
            "Threshold probability",
            "Model",
            "Calling all",
            "Model less the better of all and none",
        ),
        rows=tuple(
            (f"{100 * point.threshold:.0f} %", dict(point.model), point.call_all, dict(point.gain))
            for point in shown
        ),
    )
    return Section(title=title, paragraphs=paragraphs, tables=(table,), figures=("decision_curve",))


def list_ranges(points: Sequence[DecisionPoint], sign: int) -> list[tuple[float, float]]:
    """Return the ranges of thresholds where the gain's whole interval lies above 0 (``sign`` 1) or below it (-1)."""
    found: list[tuple[float, float]] = []
    previous = False
    for point in points:
        low, high = point.gain["low"], point.gain["high"]
        clear = low is not None and high is not None and (low > 0 if sign > 0 else high < 0)
        if clear and previous:
            found[-1] = (found[-1][0], point.threshold)
        elif clear:
            found.append((point.threshold, point.threshold))
        previous = clear
    return found
