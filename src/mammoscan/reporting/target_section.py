"""The section of a report that says how far predicted numbers or levels are off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mammoscan.evaluation.out_of_distribution import AS_IS
from mammoscan.params import TargetQuestion
from mammoscan.records.section import Section, Table
from mammoscan.reporting.render import say_paragraphs

NAMES = {AS_IS: "held-out images (flagged wrongly)", "inverted": "the same inverted", "noise": "noise"}


def write_target_section(
    measures: Mapping[str, Any], trust: Mapping[str, Any], question: TargetQuestion, level: float
) -> Section:
    """Return the section: error in the number's unit, agreement, limits, what answers carry along."""
    digits = int(measures["mae"].get("digits", 2))
    flagged = trust["out_of_distribution"]
    return Section(
        title="How far off it is",
        paragraphs=say_paragraphs(
            "target", measures=measures, trust=trust, question=question, level=level, digits=digits
        ),
        tables=(
            Table(
                caption="Share of images flagged as out of distribution",
                columns=("Images", "Number", "Share flagged"),
                rows=tuple(
                    (NAMES.get(shown, shown), measured["samples"], measured)
                    for shown, measured in flagged.items()
                ),
            ),
        ),
        figures=("agreement",),
    )
