"""Measure predictions: every figure with an interval over patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.evaluation import intervals
from mammoscan.evaluation.bootstrap import resample_measures
from mammoscan.evaluation.classification_report import report_classification, tabulate_confusion
from mammoscan.evaluation.predictions import Scored, list_models, read_scored
from mammoscan.evaluation.weighted_metrics import build_measures, lose_samples, sum_patients
from mammoscan.params import EvaluationParams, Question
from mammoscan.records.measures import FoldAreas, Measure, Metrics, ModelMetrics

__all__ = ["measure_predictions", "measure_subgroups", "report_classification", "tabulate_confusion"]

SUBGROUP_METRICS = ("auc", "accuracy", "sensitivity", "specificity")
RESAMPLED = ("average_precision",)


def measure_predictions(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> Metrics:
    """Measure each model of a table of predictions.

    Args:
        predictions: Pooled out-of-fold predictions of one or several models.
        question: The labels and the positive one.
        evaluation: Threshold, number of resamples, level and seed.

    Returns:
        For each model its measures, ``samples``, ``patients``, ``labels`` (samples and patients of each) and
        ``fold_auc``. ``auc`` compares only samples that one network scored, ``auc_pooled`` all with each other.
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
        by: Columns of ``samples``, each taken by itself; those that it lacks are skipped.

    Returns:
        One row per model, subgroup and metric: ``model``, ``by``, ``subgroup``, ``samples``, ``patients``,
        ``metric``, ``value``, ``low``, ``high``, ``note``.

    Raises:
        MammoscanError: If a prediction belongs to no sample.
    """
    known = samples.assign(sample_id=samples["sample_id"].astype(str)).set_index("sample_id")
    ids = predictions["sample_id"].astype(str)
    unknown = ids[~ids.isin(known.index)]
    if len(unknown):
        raise MammoscanError(
            f"predictions: {unknown.iloc[0]} is not among the {len(known)} samples, "
            "expected those of one data set"
        )
    rows = []
    # A group that is the label itself has nothing to rank within it.
    labels = known["label"].astype(str) if "label" in known.columns else None
    for column in (name for name in by if name in known.columns):
        if labels is not None and known[column].astype(str).equals(labels.rename(column)):
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


def _measure_model(scored: Scored, evaluation: EvaluationParams) -> ModelMetrics:
    values, draws = resample_measures(
        build_measures(scored, evaluation.cut),
        scored.n_patients,
        len(scored.truth),
        evaluation.resamples,
        evaluation.seed,
    )
    label_patients = scored.count_label_patients()
    fewest = int(label_patients.min())
    measured: dict[str, Measure] = (
        _measure_areas(scored, evaluation.level)
        | _measure_decisions(scored, evaluation)
        | _measure_losses(scored, fewest, evaluation.level)
        | {
            name: intervals.interval_resampled(values[name], draws[name], fewest, evaluation.level)
            for name in RESAMPLED
        }
    )
    result: ModelMetrics = {name: measured[name] for name in values}
    result["samples"] = len(scored.truth)
    result["patients"] = scored.n_patients
    result["labels"] = {
        label: {"samples": int((scored.truth == k).sum()), "patients": int(label_patients[k])}
        for k, label in enumerate(scored.labels)
    }
    result["fold_auc"] = _measure_folds(scored)
    return result


def _measure_areas(scored: Scored, level: float) -> dict[str, Measure]:
    """Return the AUC of the positive label within folds and pooled; of more than two labels also the labels' mean."""
    result = {
        "auc": intervals.measure_auc(scored, level),
        "auc_pooled": intervals.measure_auc(scored, level, pooled=True),
    }
    if len(scored.labels) > 2:
        areas = [intervals.rank_within_folds(scored, label) for label in range(len(scored.labels))]
        variance = intervals.cluster_variance(np.mean([area[1] + area[2] for area in areas], axis=0))
        result["auc_macro"] = intervals.interval_auc(
            float(np.mean([area[0] for area in areas])),
            variance,
            int(scored.count_label_patients().min()),
            level,
            intervals.AUC_METHOD,
            scored.count_folds(),
        )
    return result


def _measure_decisions(scored: Scored, evaluation: EvaluationParams) -> dict[str, Measure]:
    """Return what is read off the confusion matrix: shares of samples."""
    decided, positive = scored.decide_labels(evaluation.cut), scored.positive
    labels = np.arange(len(scored.labels))
    is_true, is_decided = scored.truth[:, None] == labels, decided[:, None] == labels
    true, said, both, either = (
        sum_patients(scored, cells.astype(float)).T
        for cells in (is_true, is_decided, is_true & is_decided, is_true | is_decided)
    )
    total = true.sum(axis=0)
    share = intervals.interval_share
    level = evaluation.level
    recalls = [share(both[k], true[k], level) for k in labels]
    precisions = [share(both[k], said[k], level) for k in labels]
    # Jaccard's index J is a share of samples, and F1 is 2 J / (1 + J).
    f1 = [share(both[k], either[k], level, lambda index: 2 * index / (1 + index)) for k in labels]
    negatives = total - true[positive]
    result = {
        "accuracy": share(both.sum(axis=0), total, level),
        "balanced_accuracy": intervals.interval_mean_of(recalls),
        "sensitivity": recalls[positive],
        "specificity": share(negatives - (said - both)[positive], negatives, level),
        "precision": precisions[positive],
        "f1": f1[positive],
        "macro_f1": intervals.interval_mean_of(f1, intervals.correlate_shares(both, either)),
    }
    for k, label in enumerate(scored.labels):
        result |= {f"recall_{label}": recalls[k], f"precision_{label}": precisions[k]}
    return result


def _measure_losses(scored: Scored, fewest: int, level: float) -> dict[str, Measure]:
    brier, log_loss, count = sum_patients(scored, lose_samples(scored)).T
    return {
        "brier": intervals.interval_loss(brier, count, fewest, level),
        "log_loss": intervals.interval_loss(log_loss, count, fewest, level),
    }


def _measure_folds(scored: Scored) -> FoldAreas:
    """Return each fold's own AUC."""
    areas: dict[str, float | None] = {}
    for fold in np.unique(scored.folds):
        area, *_ = intervals.rank_within_folds(scored.select(scored.folds == fold), scored.positive)
        areas[f"fold_{fold}"] = area if np.isfinite(area) else None
    defined = [area for area in areas.values() if area is not None]
    return {
        "values": areas,
        "mean": float(np.mean(defined)) if defined else None,
        "spread": float(np.std(defined, ddof=1)) if len(defined) > 1 else None,
    }
