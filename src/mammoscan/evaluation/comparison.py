"""Compare two models on the samples that both predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.evaluation.bootstrap import resample_measures
from mammoscan.evaluation.intervals import interval_difference, measure_auc
from mammoscan.evaluation.predictions import list_models, read_scored
from mammoscan.evaluation.weighted_metrics import build_auc
from mammoscan.params import CompareParams, EvaluationParams, Question


def compare_predictions(
    a: pd.DataFrame, b: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> dict[str, Any]:
    """Estimate how much higher the AUC of ``a`` is than that of ``b``, on the same resamples of patients.

    Args:
        a: Predictions of one model.
        b: Predictions of another; only samples that both hold are compared.
        question: The labels and the positive one.
        evaluation: Number of resamples, level and seed.

    Returns:
        The measure of the difference ``a - b``, with the variance of training where folds were cross-validated;
        ``a`` and ``b``, the measure of each; ``samples``, ``patients`` and ``left_out`` (samples that only one of them
        holds).

    Raises:
        MammoscanError: If a table holds several models or a sample twice, nothing is shared, or they disagree
            on a shared sample's label or patient.
    """
    tables = {name: _index_samples(name, table) for name, table in (("a", a), ("b", b))}
    shared = tables["a"].index.intersection(tables["b"].index)
    if shared.empty:
        raise MammoscanError(
            "compare: the two tables share no sample, expected predictions on the same data set"
        )
    first, second = (table.loc[shared] for table in tables.values())
    for column in ("label", "patient_id"):
        differ = first[column].astype(str) != second[column].astype(str)
        if differ.any():
            name = shared[differ][0]
            raise MammoscanError(
                f"compare: {name} has {column} {first.loc[name, column]} in a and "
                f"{second.loc[name, column]} in b, expected the same"
            )
    scored = [read_scored(table.reset_index(), question) for table in (first, second)]
    measures = [build_auc(part) for part in scored]

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        areas = [each(weights)["auc"] for each in measures]
        return {"difference": areas[0] - areas[1]}

    values, draws = resample_measures(
        measure, scored[0].n_patients, len(shared), evaluation.resamples, evaluation.seed
    )
    difference = interval_difference(
        values["difference"],
        draws["difference"],
        int(scored[0].count_label_patients().min()),
        evaluation.level,
        max(part.count_folds() for part in scored),
    )
    return {
        **difference,
        "a": measure_auc(scored[0], evaluation.level),
        "b": measure_auc(scored[1], evaluation.level),
        "samples": len(shared),
        "patients": scored[0].n_patients,
        "left_out": len(tables["a"]) + len(tables["b"]) - 2 * len(shared),
    }


def subtract_measures(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return the difference of two measures on different patients, with its interval from theirs (MOVER).

    Args:
        first: ``value``, ``low`` and ``high``.
        second: Likewise; what is subtracted.
    """
    ends = [[measure.get(key) for key in ("value", "low", "high")] for measure in (first, second)]
    values = np.array(ends, dtype=float)
    if not np.isfinite(values[:, 0]).all():
        return {"value": None, "low": None, "high": None}
    (a, a_low, a_high), (b, b_low, b_high) = values
    low, high = a - b - np.hypot(a - a_low, b_high - b), a - b + np.hypot(a_high - a, b - b_low)
    return {
        "value": float(a - b),
        "low": float(low) if np.isfinite(low) else None,
        "high": float(high) if np.isfinite(high) else None,
    }


def _index_samples(name: str, table: pd.DataFrame) -> pd.DataFrame:
    models = list_models(table)
    if len(models) != 1:
        raise MammoscanError(
            f"compare: table {name} holds the models {models}, expected one; select its rows first"
        )
    ids = table["sample_id"].astype(str)
    if ids.duplicated().any():
        raise MammoscanError(
            f"compare: table {name} holds {ids[ids.duplicated()].iloc[0]} twice, expected once"
        )
    return table.assign(sample_id=ids).set_index("sample_id")


def compare_pairs(
    runs: Sequence[Mapping[str, Any]], predictions: pd.DataFrame, compare: CompareParams
) -> list[dict[str, Any]]:
    """Compare the AUC of every two runs on the samples that both predicted, over the same resamples of patients.

    Args:
        runs: ``name``, ``labels``, ``positive`` and ``data_fingerprint`` of each.
        predictions: Out-of-fold predictions of all runs, with the run's name in ``run``.
        compare: Number of resamples, level and seed.

    Returns:
        One row per pair: ``first``, ``second``, and either what ``compare_predictions`` found of the first less the
        second, or ``why`` they cannot be compared.
    """
    words = compare.model_dump(include={"resamples", "level", "seed"})
    evaluation = EvaluationParams.model_validate(words | {"metadata_columns": ()})
    tables = dict(list(predictions.groupby("run", sort=False)))
    rows = []
    for first, second in combinations(runs, 2):
        row = {"first": first["name"], "second": second["name"]}
        why = _find_obstacle(first, second)
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


def _find_obstacle(first: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    if (set(first["labels"]), first["positive"]) != (set(second["labels"]), second["positive"]):
        return "they answer different questions"
    # Other images can bear the same names: those of a phantom bear the real ones'.
    if first["data_fingerprint"] != second["data_fingerprint"]:
        return "they are on different images"
    return ""
