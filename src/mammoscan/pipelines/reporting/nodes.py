"""Nodes that put results into words: the page that can be mailed.

Nodes that measure; everything they return is plain tables and numbers.

Nodes that draw; each takes the data set's record, so that what is drawn from a phantom says so.

The node that explains what went wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial, update_wrapper
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mammoscan import figures
from mammoscan.datasets import Bundle
from mammoscan.errors import MammoscanError
from mammoscan.evaluation import (
    calibration,
    classification_report,
    decision_curve,
    leak_audit,
    metrics,
    sample_flow,
    sample_size,
)
from mammoscan.evaluation.splits import find_lockbox_rows, find_used_rows
from mammoscan.figures.error_gallery import pick_cells
from mammoscan.figures.image_grids import pick_spread
from mammoscan.figures.style import STAMPS, draw_nothing, new_figure
from mammoscan.imaging.views import AUTHOR_VIEWS
from mammoscan.inference.backbone_features import compose_model, is_head
from mammoscan.inference.gradcam import explain_images
from mammoscan.models.preprocessing import choose_scale
from mammoscan.params import EvaluationParams, MachineParams, Question, Recipe, SplitParams, ViewParams
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.decision_curve import DecisionCurve
from mammoscan.records.flow import SampleFlow
from mammoscan.records.history import Histories
from mammoscan.records.run_info import RunInfo
from mammoscan.records.sample_size import SampleSize
from mammoscan.records.section import Section
from mammoscan.reporting.checklist import ChecklistFacts, build_checklist_section, fill_checklist
from mammoscan.reporting.checklist import write_checklist as render_checklist
from mammoscan.reporting.compose import compose_report
from mammoscan.reporting.decision_section import build_decision_section
from mammoscan.reporting.facts import HEADLINE, ReportInputs
from mammoscan.reporting.flow_section import build_flow_section
from mammoscan.reporting.format import describe_changes
from mammoscan.reporting.report import build_report
from mammoscan.reporting.variants import VARIANTS, read_variants
from mammoscan.studies import EXPERIMENTS
from mammoscan.training.augmentation import augment_batch


def measure_predictions(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> dict[str, Any]:
    """Measure the network and the baselines, each figure with its interval over patients."""
    return metrics.measure_predictions(predictions, question, evaluation)


def measure_calibration(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> dict[str, Any]:
    """Measure whether the probabilities mean what they say."""
    return calibration.measure_calibration(predictions, question, evaluation)


def measure_decision_curve(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> DecisionCurve:
    """Measure the net benefit of deciding by the network, beside calling all samples positive, or none."""
    return decision_curve.measure_decision_curve(predictions, question, evaluation)


def measure_subgroups(
    predictions: pd.DataFrame, samples: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> pd.DataFrame:
    """Measure within each abnormality class and each tissue density."""
    return metrics.measure_subgroups(predictions, samples, question, evaluation)


def audit_leaks(
    record: DatasetRecord, samples: pd.DataFrame, pixels: np.ndarray, folds: pd.DataFrame, split: SplitParams
) -> dict[str, Any]:
    """Count how much of the test sides the training sides have already seen."""
    return leak_audit.audit_leaks(samples, pixels, folds, split.choose_epoch_on, record.patients_known)


def report_classification(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> dict[str, Any]:
    """Report precision, recall, F1 and support of each label, as scikit-learn does."""
    return classification_report.report_classification(predictions, question, evaluation)["json"]


def tabulate_classification(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> tuple[str, pd.DataFrame]:
    """Write the classification report as text and as a table, to copy."""
    report = classification_report.report_classification(predictions, question, evaluation)
    return report["text"], report["table"]


def tabulate_confusion(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> pd.DataFrame:
    """Count which label was decided for which: a row a true label, a column a decided one."""
    return classification_report.tabulate_confusion(predictions, question, evaluation)["counts"].reset_index()


def choose_stamp(record: DatasetRecord) -> str:
    """Return what must stand on every figure drawn from this data set."""
    return STAMPS.get(record.kind, "")


def draw_confusion_matrix(
    record: DatasetRecord,
    predictions: pd.DataFrame,
    question: Question,
    evaluation: EvaluationParams,
    variant: str = "",
) -> Figure:
    """Draw how many samples of each label were decided to be which, with row percentages."""
    table = classification_report.tabulate_confusion(predictions, question, evaluation)["counts"]
    title = f"Confusion matrix: {variant}" if variant else "Confusion matrix"
    return figures.draw_confusion_matrix(
        table.to_numpy(), list(table.columns), choose_stamp(record), title=title
    )


def draw_confusion_matrix_of(study: str) -> Callable[..., Figure]:
    """Return ``draw_confusion_matrix`` for a study; that of an article's variant names the variant."""
    variant = VARIANTS.get(study.rpartition(".")[2], "") if "." in study else ""
    return update_wrapper(partial(draw_confusion_matrix, variant=variant), draw_confusion_matrix)


def draw_roc(
    record: DatasetRecord, predictions: pd.DataFrame, question: Question, metrics: dict[str, Any]
) -> Figure:
    """Draw the ROC curves of the network and the baselines."""
    return figures.draw_roc(predictions, question, choose_stamp(record), metrics)


def draw_precision_recall(
    record: DatasetRecord, predictions: pd.DataFrame, question: Question, metrics: dict[str, Any]
) -> Figure:
    """Draw the precision-recall curves of the network and the baselines."""
    return figures.draw_precision_recall(predictions, question, choose_stamp(record), metrics)


def draw_metric_intervals(record: DatasetRecord, metrics: dict[str, Any]) -> Figure:
    """Draw the AUC of the network beside those of the baselines, with intervals."""
    # The majority guesses: it is the line of chance, not a row.
    models = {model: measures for model, measures in metrics.items() if model != "majority"}
    return figures.draw_metric_intervals(models, choose_stamp(record), metric="auc", chance=0.5)


def draw_reliability(record: DatasetRecord, calibration: dict[str, Any], question: Question) -> Figure:
    """Draw the predicted probability against the share that came true."""
    return figures.draw_reliability(
        calibration["cnn"]["bins"], choose_stamp(record), positive=question.positive
    )


def draw_decision_curve(record: DatasetRecord, decision_curve: DecisionCurve) -> Figure:
    """Draw the net benefit of deciding by the network at each threshold probability."""
    return figures.draw_decision_curve(decision_curve, choose_stamp(record))


def count_flow(
    record: DatasetRecord,
    rejected: pd.DataFrame,
    samples: pd.DataFrame,
    folds: pd.DataFrame,
    question: Question,
) -> SampleFlow:
    """Count patients and images: found, left out with reasons, set aside, and on each side of each fold."""
    return sample_flow.count_flow(record, rejected, samples, folds, question)


def plan_sample_size(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> SampleSize:
    """Compute how wide the intervals of so many patients are to be expected, whatever the network."""
    return sample_size.plan_sample_size(predictions, question, evaluation)


def draw_sample_flow(record: DatasetRecord, flow: SampleFlow) -> Figure:
    """Draw the flow of patients and images."""
    return figures.draw_sample_flow(flow, choose_stamp(record))


def write_flow_section(flow: SampleFlow, sample_size: SampleSize) -> Section:
    """Say who and what was counted, and what so many patients can show."""
    return build_flow_section(flow, sample_size)


def write_decision_curve_section(decision_curve: DecisionCurve) -> Section:
    """Say where deciding by the network is worth more than calling all samples positive, or none."""
    return build_decision_section(decision_curve)


def draw_training_curves(record: DatasetRecord, split: SplitParams, histories: Histories) -> Figure:
    """Draw loss and accuracy of every fold, epoch by epoch."""
    return figures.draw_training_curves(
        {f"fold {number}": history for number, history in enumerate(histories.folds, 1)},
        choose_stamp(record),
        chosen_on=split.choose_epoch_on,
    )


def draw_class_counts(record: DatasetRecord, counts: pd.DataFrame, training: Recipe) -> Figure:
    """Draw how many samples each class has before and after balancing."""
    return figures.draw_class_counts(
        counts, choose_stamp(record), weighted=training.class_weights == "balanced"
    )


def pick_shown(record: DatasetRecord, pixels: np.ndarray) -> np.ndarray:
    """Return what a person is shown of each sample: of windows at several scales the first, not false colours."""
    return pixels[..., :1] if record.unit == "scans" else pixels


def draw_sample_sheet(
    record: DatasetRecord, pixels: np.ndarray, samples: pd.DataFrame, folds: pd.DataFrame
) -> Figure:
    """Draw samples of each label as the network sees them; those of the lockbox stay unseen."""
    shown = np.setdiff1d(np.arange(len(samples)), find_lockbox_rows(folds))
    return figures.draw_sample_sheet(pick_shown(record, pixels), samples, choose_stamp(record), rows=shown)


def draw_views(record: DatasetRecord, pixels: np.ndarray, folds: pd.DataFrame, views: ViewParams) -> Figure:
    """Draw the views of the first sample; in the article's list four of twelve are repeats."""
    if not views.used:
        title, reason = "The views of one image", "This recipe shows every image as it is: nothing is turned."
        return draw_nothing(new_figure(1.2, title, choose_stamp(record)), reason)
    names = AUTHOR_VIEWS if views.stored == "twelve" else None
    return figures.draw_views(
        pick_shown(record, pixels)[find_used_rows(folds)[0]], choose_stamp(record), names
    )


def draw_augmented(
    record: DatasetRecord, pixels: np.ndarray, folds: pd.DataFrame, training: Recipe, views: ViewParams
) -> Figure:
    """Draw a batch of training images as they are, and as the network saw them in one epoch."""
    rows = np.sort(folds.loc[folds["fold_0"] == "train", "row"].to_numpy(dtype=int))
    images = np.asarray(pick_shown(record, pixels)[[rows[k] for k in pick_spread(len(rows), AUGMENTED)]])
    random_views = views.training == "random"
    augmented = augment_batch(images, training.augmentation, random_views, training.seed)
    changes = describe_changes(training.augmentation, random_views)
    return figures.draw_augmented(images, augmented, choose_stamp(record), changes)


def draw_wrong_gallery(
    record: DatasetRecord,
    pixels: np.ndarray,
    predictions: pd.DataFrame,
    samples: pd.DataFrame,
    question: Question,
    evaluation: EvaluationParams,
    fold_results: Bundle,
) -> Figure:
    """Draw what the network got wrong, the most confident first, each with where it saw what it said."""
    heats = {
        (str(row["sample_id"]), int(row["fold"])): np.frombuffer(row["heat"], np.uint8).reshape(
            pixels.shape[1:3]
        )
        for row in fold_results["explanations"].to_dict("records")
    }
    return figures.draw_wrong_gallery(
        pick_shown(record, pixels),
        predictions,
        samples,
        question,
        choose_stamp(record),
        threshold=evaluation.cut,
        heats=heats,
    )


def draw_topology(record: DatasetRecord, network: list[dict[str, Any]], question: Question) -> Figure:
    """Draw the network from input to target; a backbone is one box."""
    return figures.draw_topology(network, choose_stamp(record), labels=question.labels)


def draw_answer_gallery(
    record: DatasetRecord,
    pixels: np.ndarray,
    predictions: pd.DataFrame,
    samples: pd.DataFrame,
    question: Question,
    evaluation: EvaluationParams,
) -> Figure:
    """Draw nine predictions, right and wrong, with per cent and true label."""
    return figures.draw_answer_gallery(
        pick_shown(record, pixels),
        predictions,
        samples,
        question,
        choose_stamp(record),
        threshold=evaluation.cut,
    )


AUGMENTED = 8

logger = logging.getLogger("mammoscan")


def explain_errors(
    model: Any,
    samples: pd.DataFrame,
    pixels: np.ndarray,
    predictions: pd.DataFrame,
    question: Question,
    evaluation: EvaluationParams,
    training: Recipe,
    views: ViewParams,
) -> pd.DataFrame:
    """Explain a fold's most confident predictions of each cell of the matrix by the fold's model, which made them.

    Returns:
        ``sample_id``, ``fold`` and ``said`` of each, and ``heat``, the bytes of uint8 ``[row, column]``: 255 where
        most speaks for the answer. Without rows where the network cannot be explained.
    """
    picked = pick_cells(predictions, question, evaluation.cut)
    explained = picked[["sample_id", "fold", "said"]].reset_index(drop=True)
    if explained.empty:
        return explained.assign(heat=pd.Series(dtype=object))
    positions = pd.Series(range(len(samples)), index=samples["sample_id"].astype(str))
    images = np.asarray(pixels[positions[explained["sample_id"].astype(str)].to_numpy()])
    said = [question.labels.index(label) for label in explained["said"]]
    if is_head(model):
        model = compose_model(model, training, pixels.shape[1:], len(question.labels), MachineParams())
    try:
        found = explain_images(
            model,
            images,
            said,
            scale=choose_scale(training),
            views=views.prediction,
            method=evaluation.explanation,
        )
    except MammoscanError as error:
        logger.warning("the predictions stay unexplained: %s", error)
        return explained.iloc[:0].assign(heat=pd.Series(dtype=object))
    return explained.assign(heat=[heat.tobytes() for heat in np.rint(255 * found).astype(np.uint8)])


def gather_explanations(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams, *tables: pd.DataFrame
) -> pd.DataFrame:
    """Keep the explanations of the most confident predictions of all folds: those that the report shows."""
    shown = pick_cells(predictions, question, evaluation.cut)
    shown = shown[["sample_id", "fold"]].astype({"sample_id": str})
    found = pd.concat(tables, ignore_index=True).astype({"sample_id": str})
    return shown.merge(found, on=["sample_id", "fold"], how="inner")


def write_checklist(
    record: DatasetRecord,
    run_info: RunInfo,
    question: Question,
    evaluation: EvaluationParams,
    training: Recipe,
    views: ViewParams,
    split: SplitParams,
    **entries: Any,
) -> tuple[str, Section]:
    """Fill in what CLAIM 2024 and TRIPOD+AI ask for, as far as the run knows; the rest is left to the author.

    Args:
        record: The data set.
        run_info: The run.
        question: The parameters are named here with their types: Kedro reads them as these.
        evaluation: Likewise.
        training: Likewise.
        views: Likewise.
        split: Likewise.
        entries: The other entries, by the names of ``ChecklistFacts``' fields.

    Returns:
        The checklist as Markdown, and as a section of the report.
    """
    entries["calibration"] = entries.get("calibration", {}).get("cnn", {})
    checklist = fill_checklist(
        ChecklistFacts(
            record=record,
            run_info=run_info,
            question=question,
            evaluation=evaluation,
            training=training,
            views=views,
            split=split,
            **entries,
        )
    )
    return render_checklist(checklist), build_checklist_section(checklist)


def write_report(
    record: DatasetRecord,
    run_info: RunInfo,
    question: Question,
    evaluation: EvaluationParams,
    training: Recipe,
    **entries: Any,
) -> str:
    """Put a study's results on one self-contained HTML page.

    Args:
        record: The data set.
        run_info: The run.
        question: A parameter is named here with its type, in the order of the inputs: Kedro reads it as that type.
        evaluation: Likewise.
        training: Likewise.
        entries: The other catalog entries that it shows, by the names of ``ReportInputs``' fields, and its figures and
            sections as ``<name>_figure`` and ``<name>_section``.
    """
    entries |= {
        "record": record,
        "run_info": run_info,
        "question": question,
        "evaluation": evaluation,
        "training": training,
    }
    return write_page(entries)


def write_page(entries: Mapping[str, Any]) -> str:
    """Put whatever entries there are on one page, and say its headline on the console."""
    inputs = ReportInputs.gather(entries)
    question = inputs.question
    assert isinstance(question, Question)
    variants = [] if inputs.experiments is None else list(read_variants(inputs.experiments))
    experiments = [row for row in variants if row["variant"] in EXPERIMENTS]
    for row in experiments:
        announce(question, {"cnn": row}, row["name"])
    if not experiments:
        announce(question, inputs.metrics, patients_known=inputs.record.patients_known)
    return build_report(compose_report(inputs))


def announce(
    question: Question, metrics: Mapping[str, Any], name: str = "", patients_known: bool = True
) -> None:
    """Say the headline on the console."""
    people = (
        f"of {metrics['cnn']['patients']} patients"
        if patients_known
        else "(images kept apart; patients unknown)"
    )
    measure = metrics["cnn"][HEADLINE]
    baselines = ", ".join(
        f"{model} {measures[HEADLINE]['value']:.2f}"
        for model, measures in metrics.items()
        if model not in ("cnn", "majority")
    )
    logger.info(
        "%sAUC for %s: %.2f [%.2f, %.2f] on %d %s %s%s",
        f"{name}: " if name else "",
        question.positive,
        measure["value"],
        measure["low"],
        measure["high"],
        metrics["cnn"]["samples"],
        question.unit,
        people,
        f"; baselines: {baselines}" if baselines else "",
    )
