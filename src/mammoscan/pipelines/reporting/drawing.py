"""Nodes that draw; each takes the data set's record, so that what is drawn from a phantom says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mammoscan import figures
from mammoscan.figures.style import MODIFIED_STAMP, PHANTOM_STAMP
from mammoscan.imaging.views import AUTHOR_VIEWS
from mammoscan.studies import EvaluationParams, Question, SplitParams, ViewParams


def choose_stamp(record: dict[str, Any]) -> str:
    """Return what must stand on every figure drawn from this data set."""
    stamps = {"phantom": PHANTOM_STAMP, "modified": MODIFIED_STAMP}
    return stamps.get(record["kind"], "")


def draw_confusion_matrix(record: dict[str, Any], counts: pd.DataFrame) -> Figure:
    """Draw counts and row percentages."""
    table = counts.set_index("true")
    return figures.draw_confusion_matrix(table.to_numpy(), list(table.columns), choose_stamp(record))


def draw_roc(
    record: dict[str, Any], predictions: pd.DataFrame, question: Question, metrics: dict[str, Any]
) -> Figure:
    """Draw the ROC curves of the network and the baselines."""
    return figures.draw_roc(predictions, question, choose_stamp(record), metrics)


def draw_precision_recall(
    record: dict[str, Any], predictions: pd.DataFrame, question: Question, metrics: dict[str, Any]
) -> Figure:
    """Draw the precision-recall curves of the network and the baselines."""
    return figures.draw_precision_recall(predictions, question, choose_stamp(record), metrics)


def draw_metric_intervals(record: dict[str, Any], metrics: dict[str, Any]) -> Figure:
    """Draw the AUC of the network beside those of the baselines, with intervals."""
    # The majority guesses: it is the line of chance, not a row. Pooling folds only blurs its 0.5.
    models = {model: measures for model, measures in metrics.items() if model != "majority"}
    return figures.draw_metric_intervals(models, choose_stamp(record), metric="auc", chance=0.5)


def draw_reliability(record: dict[str, Any], calibration: dict[str, Any], question: Question) -> Figure:
    """Draw the predicted probability against the share that came true."""
    return figures.draw_reliability(
        calibration["cnn"]["bins"], choose_stamp(record), positive=question.positive
    )


def draw_training_curves(record: dict[str, Any], split: SplitParams, *histories: dict[str, Any]) -> Figure:
    """Draw loss and accuracy of every fold, epoch by epoch."""
    return figures.draw_training_curves(
        {f"fold {number}": history for number, history in enumerate(histories, 1)},
        choose_stamp(record),
        chosen_on=split.choose_epoch_on,
    )


def draw_class_counts(record: dict[str, Any], counts: pd.DataFrame) -> Figure:
    """Draw how many samples each class has before and after balancing."""
    return figures.draw_class_counts(counts, choose_stamp(record))


def draw_sample_sheet(record: dict[str, Any], pixels: np.ndarray, samples: pd.DataFrame) -> Figure:
    """Draw samples of each label as the network sees them."""
    return figures.draw_sample_sheet(pixels, samples, choose_stamp(record))


def draw_views(record: dict[str, Any], pixels: np.ndarray, views: ViewParams) -> Figure:
    """Draw the views of the first sample; in the article's list four of twelve are repeats."""
    names = AUTHOR_VIEWS if views.stored == "twelve" else None
    return figures.draw_views(pixels[0], choose_stamp(record), names)


def draw_wrong_gallery(
    record: dict[str, Any],
    pixels: np.ndarray,
    predictions: pd.DataFrame,
    samples: pd.DataFrame,
    question: Question,
    evaluation: EvaluationParams,
    explained: pd.DataFrame,
    explanations: np.ndarray,
) -> Figure:
    """Draw what the network got wrong, the most confident first, each with where it saw what it said."""
    keys = zip(explained["sample_id"].astype(str), explained["fold"].astype(int), strict=True)
    return figures.draw_wrong_gallery(
        pixels,
        predictions,
        samples,
        question,
        choose_stamp(record),
        threshold=evaluation.cut,
        heats=dict(zip(keys, explanations, strict=True)),
    )


def draw_topology(record: dict[str, Any], network: list[dict[str, Any]]) -> Figure:
    """Draw the network's layers with their output shapes."""
    return figures.draw_topology(network, choose_stamp(record))
