"""The report's section on a finished model elsewhere, beside its own test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mammoscan.params import Question
from mammoscan.records.card import Card
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.section import Section
from mammoscan.reporting.render import name_measure, say_paragraphs


def build_external_section(
    card: Card, drift: Mapping[str, Any], record: DatasetRecord, question: Question
) -> Section:
    """Return what is said of the difference to the internal test, of calibration, prevalence and strange images."""
    measures = drift["measures"]
    return Section.model_validate(
        {
            "title": "Beside the model's own test",
            "paragraphs": say_paragraphs(
                "external",
                card=card,
                record=record,
                positive=question.positive,
                auc=measures.get("auc"),
                slope=measures.get("slope"),
                prevalence=drift["prevalence"],
                flagged=drift["flagged"],
            ),
            "tables": [
                {
                    "caption": "What the model's own test had promised, and what came out here",
                    "columns": ["", "its own test", "here", "difference"],
                    "rows": [
                        [name_measure(name), row["internal"], row["external"], row["difference"]]
                        for name, row in measures.items()
                    ],
                }
            ],
        }
    )
