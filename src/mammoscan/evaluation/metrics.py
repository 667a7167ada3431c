"""Measure predictions: every figure with an interval over patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.evaluation.bootstrap import resample_measures, summarise_draws
from mammoscan.evaluation.classification_report import report_classification, tabulate_confusion
from mammoscan.evaluation.predictions import Scored, list_models, read_scored
from mammoscan.evaluation.weighted_metrics import build_area, build_measure
from mammoscan.params import EvaluationParams, Question

__all__ = ["measure_predictions", "measure_subgroups", "report_classification", "tabulate_confusion"]

SUBGROUP_METRICS = ("auc", "accuracy", "sensitivity", "specificity")


def measure_predictions(predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams) -> dict:
    """Measure each model of a table of predictions.

    Args:
        predictions: Pooled out-of-fold predictions of one or several models.
        question: The labels and the positive one.
        evaluation: Threshold, number of resamples, level and seed.

    Returns:
        For each model, for each metric ``{"value", "low", "high", "undefined", "note"}``; besides,
        ``samples``, ``patients``, ``labels`` (samples and patients of each) and ``fold_auc`` (each fold's,
        mean, spread). ``auc`` compares all samples with each other, ``auc_within_folds`` only those that one
        model predicted.
    """
    return {
        model: _measure_model(read_scored(predictions, question, model), evaluation)
        for model in list_models(predictions)
    }


def measure_subgroups(
    predictions: pd.DataFrame,
    samples: pd.DataFrame,
    question: Question,
    evaluation: EvaluationParams,
    by: Sequence[str] = ("group", "tissue"),
) -> pd.DataFrame:
    """Measure each model within subgroups of the samples.

    Args:
        predictions: Pooled out-of-fold predictions.
        samples: The samples, which know the subgroups.
        question: The labels and the positive one.
        evaluation: Threshold, number of resamples, level and seed.
        by: Columns of ``samples``, each taken by itself; those that are not there are passed over.

    Returns:
        One row a model, subgroup and metric: ``model``, ``by``, ``subgroup``, ``samples``, ``patients``,
        ``metric``, ``value``, ``low``, ``high``, ``note``.

    Raises:
        MammoscanError: If a prediction belongs to no sample.
    """
    known = samples.assign(sample_id=samples["sample_id"].astype(str)).set_index("sample_id")
    ids = predictions["sample_id"].astype(str)
    strange = ids[~ids.isin(known.index)]
    if len(strange):
        raise MammoscanError(
            f"predictions: {strange.iloc[0]} is not among the {len(known)} samples, "
            "expected those of one data set"
        )
    rows = []
    # A group that is the label itself has nothing to rank within it.
    told = known["label"].astype(str) if "label" in known.columns else None
    for column in (name for name in by if name in known.columns):
        if told is not None and known[column].astype(str).equals(told.rename(column)):
            continue
        level = known[column].reindex(ids.to_list()).astype(str).to_numpy()
        for subgroup in sorted(set(level)):
            part = predictions[level == subgroup]
            for model in list_models(part):
                measured = _measure_model(read_scored(part, question, model), evaluation)
                what = {"model": model, "by": column, "subgroup": subgroup}
                what |= {"samples": measured["samples"], "patients": measured["patients"]}
                rows += [what | {"metric": name} | measured[name] for name in SUBGROUP_METRICS]
    columns = ["model", "by", "subgroup", "samples", "patients", "metric", "value", "low", "high", "note"]
    return pd.DataFrame(rows, columns=columns).astype({"value": float, "low": float, "high": float})


def _measure_model(scored: Scored, evaluation: EvaluationParams) -> dict:
    measure = build_measure(scored, evaluation.cut)
    values, draws = resample_measures(
        measure, scored.n_patients, len(scored.truth), evaluation.resamples, evaluation.seed
    )
    label_patients = scored.count_label_patients()
    result: dict = {
        name: summarise_draws(values[name], draws[name], evaluation.level, int(label_patients.min()))
        for name in values
    }
    result["samples"] = len(scored.truth)
    result["patients"] = scored.n_patients
    result["labels"] = {
        label: {"samples": int((scored.truth == k).sum()), "patients": int(label_patients[k])}
        for k, label in enumerate(scored.labels)
    }
    result["fold_auc"] = _measure_folds(scored)
    return result


def _measure_folds(scored: Scored) -> dict:
    """Return each fold's AUC, their mean and standard deviation; None where a fold lacks a label."""
    areas: dict[str, float | None] = {}
    for fold in np.unique(scored.folds):
        inside = scored.folds == fold
        part = Scored(
            scored.labels,
            scored.positive,
            scored.probabilities[inside],
            scored.truth[inside],
            scored.patients[inside],
            scored.n_patients,
            scored.folds[inside],
        )
        area = float(build_area(part)(np.ones((1, scored.n_patients)))["auc"][0])
        areas[f"fold_{fold}"] = area if np.isfinite(area) else None
    defined = [area for area in areas.values() if area is not None]
    return {
        "values": areas,
        "mean": float(np.mean(defined)) if defined else None,
        "spread": float(np.std(defined, ddof=1)) if len(defined) > 1 else None,
    }
