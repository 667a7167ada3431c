"""The section on net benefit says no more than its intervals do."""

import re

from mammoscan.records.decision_curve import DecisionCurve, DecisionPoint
from mammoscan.reporting.decision_section import build_decision_section, list_ranges


def build_point(threshold: float, low: float, high: float) -> DecisionPoint:
    middle = (low + high) / 2
    gain = {"value": middle, "low": low, "high": high, "undefined": 0, "note": "", "method": "m"}
    return DecisionPoint(threshold=threshold, model=gain, call_all=0.1, gain=gain, others={})


def build_curve(*points: DecisionPoint) -> DecisionCurve:
    return DecisionCurve(
        positive="malignant",
        unit="regions",
        prevalence=0.42,
        samples=119,
        patients=104,
        level=0.95,
        points=points,
    )


CLEAR = [build_point(percent / 100, -0.01 if percent in (1, 5) else 0.01, 0.1) for percent in range(1, 9)]


def test_ranges_hold_the_thresholds_whose_whole_interval_lies_on_one_side() -> None:
    assert list_ranges(CLEAR, 1) == [(0.02, 0.04), (0.06, 0.08)]
    assert list_ranges(CLEAR, -1) == []
    assert list_ranges([build_point(0.1, -0.2, -0.1)], -1) == [(0.1, 0.1)]


def test_the_section_names_the_thresholds_and_what_the_intervals_hold() -> None:
    section = build_decision_section(build_curve(*CLEAR))
    text = " ".join(section.paragraphs)
    assert "lies above both, with its whole 95 % interval, from 2 % to 4 % and from 6 % to 8 %." in text
    assert "given the scores" in text
    assert "Of these 119 regions 42 % are malignant" in text
    assert section.figures == ("decision_curve",)
    assert not re.search(r"\s[.,;:]|  ", text)


def test_a_model_without_a_clear_gain_is_not_praised() -> None:
    text = " ".join(build_decision_section(build_curve(build_point(0.05, -0.3, 0.2))).paragraphs)
    assert "these 119 regions do not show that deciding by the model is worth it" in text
    worse = " ".join(build_decision_section(build_curve(build_point(0.05, -0.3, -0.2))).paragraphs)
    assert "it lies below 0 at 5 %" in worse


def test_without_two_labels_the_section_is_empty() -> None:
    section = build_decision_section(build_curve())
    assert not section.paragraphs
    assert not section.tables
    assert not section.figures
