"""How far the differences between runs can be told from chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.evaluation.compare import compare_predictions
from mammoscan.studies import CompareParams, EvaluationParams, Question


def compare_pairs(
    runs: Sequence[Mapping[str, Any]], predictions: pd.DataFrame, compare: CompareParams
) -> list[dict[str, Any]]:
    """Compare the AUC of every two runs on the samples that both predicted, over the same resamples of patients.

    Args:
        runs: ``name``, ``labels``, ``positive`` and ``data_fingerprint`` of each.
        predictions: Out-of-fold predictions of all runs, with the run's name in ``run``.
        compare: Number of resamples, level and seed.

    Returns:
        A row a pair: ``first``, ``second``, and either what ``compare_predictions`` found of the first less the
        second, or ``why`` they cannot be compared.
    """
    words = compare.model_dump(include={"resamples", "level", "seed"})
    evaluation = EvaluationParams.model_validate(words | {"metadata_columns": ()})
    tables = dict(list(predictions.groupby("run", sort=False)))
    rows = []
    for first, second in combinations(runs, 2):
        row = {"first": first["name"], "second": second["name"]}
        why = _find_hindrance(first, second)
        if not why:
            question = Question(text="?", labels=tuple(first["labels"]), positive=first["positive"])
            try:
                row |= compare_predictions(
                    tables[first["name"]], tables[second["name"]], question, evaluation
                )
            except MammoscanError as error:
                why = str(error).removeprefix("compare: ")
        rows.append(row | ({"why": why} if why else {}))
    return rows


def _find_hindrance(first: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    if (set(first["labels"]), first["positive"]) != (set(second["labels"]), second["positive"]):
        return "they answer different questions"
    # Other images can bear the same names: those of a phantom bear the real ones'.
    if first["data_fingerprint"] != second["data_fingerprint"]:
        return "they are on different images"
    return ""
