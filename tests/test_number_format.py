"""One rule for digits: no more than the cases bear, and no number that is rounded into another meaning."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from mammoscan.number_format import (
    format_fixed,
    format_measure,
    format_share,
    format_share_measure,
    state_share,
)
from projects import Project


@pytest.mark.parametrize(
    ("share", "cases", "text"),
    [
        (4 / 119, 119, "3 %"),
        (4 / 119, None, "3 %"),
        (40 / 1190, 1190, "3.4 %"),
        (1 / 500, 500, "< 1 %"),
        (499 / 500, 500, "> 99 %"),
        (1 / 50_000, 50_000, "< 0.1 %"),
        (0.0, 119, "0 %"),
        (1.0, 119, "100 %"),
        (None, 119, "–"),
        (float("nan"), 119, "–"),
    ],
)
def test_a_share_has_the_digits_that_its_cases_bear(
    share: float | None, cases: int | None, text: str
) -> None:
    assert format_share(share, cases) == text


def test_a_measure_has_two_decimals_and_zero_has_no_sign() -> None:
    assert format_measure({"value": 0.7249, "low": 0.6, "high": 0.8123}) == "0.72 [0.60, 0.81]"
    assert format_measure({"value": -0.001, "low": -0.02, "high": 0.004}) == "0.00 [-0.02, 0.00]"
    assert format_measure({"value": 11.43, "low": 6.47, "high": 18.98}) == "11 [6, 19]"
    assert format_measure({"value": 0.5, "low": 0.5, "high": 0.5}) == "0.50"
    assert format_measure({"value": None}) == "not defined"
    assert format_fixed(-0.04, 1) == "0.0"
    assert format_fixed(-1.25, 1) == "-1.2"


def test_a_share_with_an_interval_is_in_per_cent() -> None:
    assert format_share_measure({"value": 0.721, "low": 0.61, "high": 0.818}, 119) == "72 % [61, 82]"
    assert format_share_measure({"value": 0.998, "low": 0.97, "high": 0.9999}, 119) == "> 99 % [97, > 99]"


def test_what_was_stated_keeps_its_digits() -> None:
    assert [state_share(share) for share in (0.9936, 0.005, 0.1)] == ["99.36 %", "0.5 %", "10 %"]


class Text(HTMLParser):
    """The words of a page that a reader sees, without those of sections that hold exact numbers."""

    exact = ("numbers", "repeat")

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0
        self._depth: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in ("section", "script", "style", "svg"):
            self._depth.append(tag != "section" or found.get("id") in self.exact)
            self._hidden += self._depth[-1]
        if not self._hidden:
            self.words += [str(found[name]) for name in ("alt", "title", "aria-label") if found.get(name)]

    def handle_endtag(self, tag: str) -> None:
        if tag in ("section", "script", "style", "svg") and self._depth:
            self._hidden -= self._depth.pop()

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


def find_faults(text: str, few: bool = True) -> list[str]:
    """Return the numbers that break the rule: decimals in per cent of few cases, four decimals, a signed zero."""
    patterns = [
        r"(?<![\d.])-0\.0+(?!\d)",
        r"(?<![\d.\w/-])\d+\.\d{4,}(?![\d.]|e-)",
        r"AUC[^.;|]{0,40}?\d\.\d{3}",
    ]
    patterns += [r"\d\.\d+ ?%"] if few else []
    return [match.group() for pattern in patterns for match in re.finditer(pattern, text)]


def test_the_scan_finds_what_breaks_the_rule() -> None:
    assert find_faults("3.36 % of 119, AUC 0.723, 0.12345, -0.00") == [
        "-0.00",
        "0.12345",
        "AUC 0.723",
        "3.36 %",
    ]
    assert find_faults("3 % of 119, AUC 0.72 [0.60, 0.80]; keras 3.15.1, loss 0.694, -0.04") == []


@pytest.mark.slow
def test_a_finished_report_and_card_keep_the_rule(finished_project: Project) -> None:
    page = Text()
    results = finished_project.folder / "data" / "test" / "08_reporting" / "mias"
    page.feed((results / "report.html").read_text(encoding="utf-8"))
    text = " ".join(" ".join(page.words).split())
    assert "AUC" in text
    assert find_faults(text) == []
    for file in ("model_card.md", "checklist.md"):
        said = (results / file).read_text(encoding="utf-8").split("## How to repeat it")[0]
        assert find_faults(said) == [], file
