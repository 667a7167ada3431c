"""Sections of a report on scores that were not computed here: what thresholds cost, and two tables side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mammoscan.number_format import state_share
from mammoscan.params import Question
from mammoscan.records.section import Section
from mammoscan.reporting.render import name_measure, say, say_paragraphs
from mammoscan.reporting.trust_section import (
    CALIBRATION,
    OPERATION,
    say_range,
    say_rule,
    say_slope,
)

COMPARED = ("auc", "accuracy", "sensitivity", "specificity", "average_precision", "brier")
NOTHING = Section(title="")


def write_threshold_section(trust: Mapping[str, Any], question: Question) -> Section:
    """Say whether the scores are probabilities, and what deciding by them costs."""
    operation = trust["operation"]
    paragraphs = say_paragraphs(
        "thresholds",
        slope=say_slope(trust["calibration"]["before"]),
        trust=trust,
        positive=question.positive,
        rule=say_rule(dict(trust), question.positive),
        range=say_range(trust["fold_thresholds"]) if operation else "",
    )
    sides = trust["calibration"]
    tables: list[dict[str, Any]] = [
        {
            "caption": "What one temperature would do, fitted on other patients than it is measured on",
            "columns": ["", "as the scores are", "with the temperature"],
            "rows": [[name_measure(key), sides["before"][key], sides["after"][key]] for key in CALIBRATION],
        }
    ]
    if operation:
        words = {"positive": question.positive, "prevalence": state_share(trust["prevalence"])}
        tables.append(
            {
                "caption": "What deciding costs on new patients",
                "columns": ["", "at the chosen threshold", "at even odds"],
                "rows": [
                    [name.format(**words), operation["chosen"][key], operation["even_odds"][key]]
                    for key, name in OPERATION
                ],
            }
        )
    return Section.model_validate(
        {
            "title": "Thresholds",
            "paragraphs": paragraphs,
            "tables": tables,
            "figures": ["calibration"],
        }
    )


def write_comparison_section(comparison: Mapping[str, Any]) -> Section:
    """Set the measures of two tables side by side, with the difference of their AUCs; empty where there is one."""
    if not comparison:
        return NOTHING
    verdict = say("pair", dict(comparison["difference"]))
    first, second = comparison["first"], comparison["second"]
    rows = [
        [name_measure(key), first["metrics"][key], second["metrics"][key]]
        for key in COMPARED
        if key in first["metrics"]
    ]
    difference = {key: comparison["difference"][key] for key in ("value", "low", "high", "note")}
    return Section.model_validate(
        {
            "title": "Beside the other table",
            "paragraphs": say_paragraphs("two_tables", comparison=comparison, verdict=verdict),
            "tables": [
                {
                    "caption": f"Both on the same {comparison['difference']['samples']:,} samples",
                    "columns": ["", first["name"], second["name"]],
                    "rows": [*rows, ["Difference of the AUC, first less second", difference, ""]],
                }
            ],
        }
    )
