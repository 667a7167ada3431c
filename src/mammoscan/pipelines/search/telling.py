"""What the report says of a search."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mammoscan.evaluation.compare import compare_predictions
from mammoscan.pipelines.search.trials import CHOSEN
from mammoscan.studies import EvaluationParams, Question, SearchParams

HEADLINE = "auc"


def describe_search(
    plan: dict[str, int],
    trials: pd.DataFrame,
    predictions: pd.DataFrame,
    own_predictions: pd.DataFrame,
    question: Question,
    evaluation: EvaluationParams,
    search: SearchParams,
) -> dict[str, Any]:
    """Set the score of the searched recipes beside that of the study's own, on the same patients.

    Args:
        plan: What was counted before the search.
        trials: The trials of all folds.
        predictions: Of the networks trained by what the search found.
        own_predictions: Of the networks trained by the study's own recipe, on the same folds.
        question: The labels and the positive one.
        evaluation: The intervals.
        search: The ranges.

    Returns:
        A section of the report.
    """
    found, own = (table[table["model"] == "cnn"] for table in (predictions, own_predictions))
    compared = compare_predictions(found, own, question, evaluation)
    keys = list(search.list_ranges())
    rows = [
        ["the recipe found in each fold", compared["a"]],
        ["the study's own recipe", compared["b"]],
        ["difference", pick_measure(compared)],
    ]
    chosen = trials[trials[CHOSEN]]
    owns = trials[trials["own_recipe"]].set_index("fold")["value"]
    return {
        "title": "Search for a recipe",
        "paragraphs": [
            f"In each of {plan['folds']} folds {plan['trials']} recipes were tried on the fold's training patients "
            f"alone, which were divided {plan['inner_folds']} times for it. The best one was then trained as any "
            "recipe is, and asked about patients that neither it nor the search had seen. The score is that of the "
            "whole procedure, search included.",
            "The value of the best trial itself is no score: the best of many is partly luck. No single recipe is "
            "named here for the same reason; each fold found its own. The recipe under Training is the one that "
            "the search began with.",
        ],
        "tables": [
            {"caption": "AUC on the test patients of all folds", "columns": ["", "AUC"], "rows": rows},
            {
                "caption": f"What was found: {search.measure} among the training patients",
                "columns": ["fold", "own recipe", "best trial", "trial", *keys],
                "rows": [
                    [
                        str(row["fold"] + 1),
                        tell_value(owns.get(row["fold"])),
                        tell_value(row["value"]),
                        str(row["trial"]),
                        *(tell_value(row[key]) for key in keys),
                    ]
                    for row in chosen.to_dict("records")
                ],
            },
        ],
        "figures": ["trials"],
    }


def pick_measure(measure: dict[str, Any]) -> dict[str, Any]:
    """Return the value with its interval."""
    return {key: measure[key] for key in ("value", "low", "high")}


def tell_value(value: Any) -> str:
    """Return a value as a reader wants it."""
    if value is None or value != value:
        return "none"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
