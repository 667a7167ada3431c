from __future__ import annotations

import pytest

from mammoscan.reporting.division import find_division, name_division
from mammoscan.reporting.render import say

APART = {"patient": {"count": 0, "share": 0.0}}
SHARED = {"patient": {"count": 97, "share": 0.97}}


@pytest.mark.parametrize(
    ("protocol", "known", "audit", "division", "words"),
    [
        ("patient", True, APART, "patients", "patients kept apart"),
        ("patient", False, APART, "images", "images kept apart; patients unknown"),
        (
            "patient",
            True,
            SHARED,
            "shared",
            "images divided; 97 % of the test images share a patient with training",
        ),
        ("author", True, SHARED, "article", "the article's own division"),
    ],
)
def test_what_is_kept_apart_is_said_from_the_audit(
    protocol: str, known: bool, audit: dict, division: str, words: str
) -> None:
    assert find_division(protocol, known, audit) == division
    assert name_division(division, audit) == words


def test_no_sentence_says_patients_where_they_are_unknown_or_shared() -> None:
    unknown = say("protocol", "images", 5)
    assert unknown.startswith("Images kept apart; patients unknown.")
    assert "97 % of the test images are of a patient" in say("protocol", "shared", 5, SHARED)
    measures = {"auc": {"value": 0.8}, "samples": 60, "patients": None}
    assert say("headline", "auc", measures, "images", "images") == (
        "AUC 0.80 on 60 images, each measured by a network that had not seen that image. "
        "Images kept apart; patients unknown."
    )
    assert "patients are on both sides" in say("headline", "auc", measures, "images", "shared")
