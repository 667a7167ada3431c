from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mammoscan import figures
from mammoscan.data import image_selection
from mammoscan.data.tables import read_folds
from mammoscan.datasets import Bundle
from mammoscan.errors import MammoscanError
from mammoscan.evaluation import number_baselines, number_metrics, splits
from mammoscan.evaluation.out_of_distribution import measure_flagged_shares
from mammoscan.evaluation.predictions import MAIN_MODEL
from mammoscan.inference import backbone_features as frozen
from mammoscan.inference.predict import predict_probabilities
from mammoscan.models.registry import build_network
from mammoscan.models.summary import describe_network, summarise_network
from mammoscan.number_format import format_measure
from mammoscan.params import (
    EvaluationParams,
    MachineParams,
    PackParams,
    Recipe,
    SplitParams,
    TargetQuestion,
    ViewParams,
)
from mammoscan.pipelines.modelling.nodes import (
    choose_input,
    count_parameters,
    list_rows,
    run_final,
    run_fold,
)
from mammoscan.pipelines.reporting.nodes import choose_stamp
from mammoscan.records.card import Card
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.history import Histories, History
from mammoscan.records.section import Section
from mammoscan.reporting.card_content import CardInputs, gather_target_card
from mammoscan.reporting.compose import compose_report
from mammoscan.reporting.facts import ReportInputs
from mammoscan.reporting.render import name_measure
from mammoscan.reporting.report import build_report
from mammoscan.reporting.target_section import write_target_section
from mammoscan.training.number_training import train_number_network
from mammoscan.training.setup import TrainingData

logger = logging.getLogger("mammoscan")


def choose_images(
    indexed: pd.DataFrame, malformed: pd.DataFrame, question: TargetQuestion, pack: PackParams
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose the images that have a number or level; every other one is left out with its reason."""
    return image_selection.choose_targets(indexed, malformed, question, pack)


def divide_samples(samples: pd.DataFrame, question: TargetQuestion, split: SplitParams) -> pd.DataFrame:
    """Divide the patients into folds of the same spread: of levels, or of thirds of the numbers."""
    for key in ("lockbox", "repeats"):
        if getattr(split, key):
            raise MammoscanError(
                f"split.{key} is {getattr(split, key):g} in a study of {question.kind}, expected 0: "
                "it is there for studies of labels only"
            )
    return splits.divide_samples(samples, split, split.folds, given=read_folds(split.file))


def train_fold(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    rows: pd.DataFrame,
    training: Recipe,
    views: ViewParams,
    split: SplitParams,
    machine: MachineParams,
    training_folder: Path,
    features: np.ndarray,
) -> tuple[Any, History]:
    """Train the network on one fold's training side; the epoch is chosen on its validation side by the loss.

    Numbers are standardised by the training side alone; the model answers in their unit.
    """
    seen = choose_input(pixels, features, training, views)
    data = TrainingData(
        seen,
        samples["target"].to_numpy(dtype=float),
        list_rows(rows, "train"),
        list_rows(rows, split.choose_epoch_on),
        1,
        "numbers",
    )
    model, history = run_fold(
        train_number_network, data, samples, rows, training, views, split, machine, training_folder
    )
    return model, count_parameters(history, seen, pixels, training, machine)


def predict_fold(
    model: Any,
    samples: pd.DataFrame,
    pixels: np.ndarray,
    rows: pd.DataFrame,
    training: Recipe,
    views: ViewParams,
    machine: MachineParams,
    features: np.ndarray,
) -> pd.DataFrame:
    """Predict one fold's test side: one row per test sample, with ``target`` and ``prediction``."""
    test = list_rows(rows, "test")
    seen = choose_input(pixels, features, training, views)
    found = predict_probabilities(model, seen, test, recipe=training, views=views, machine=machine)
    table = samples.iloc[test][["sample_id", "patient_id", "target"]].reset_index(drop=True)
    table.insert(0, "model", MAIN_MODEL)
    table.insert(1, "fold", int(rows["fold"].iloc[0]))
    return table.assign(prediction=found[:, 0].astype(float))


def train_final(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    folds: pd.DataFrame,
    training: Recipe,
    views: ViewParams,
    machine: MachineParams,
    training_folder: Path,
    histories: Histories,
    features: np.ndarray,
) -> tuple[Any, History]:
    """Train the model that is handed on: all patients, the median of the folds' best epochs, no validation."""
    used = folds["row"].isin(splits.find_used_rows(folds))
    rows = folds.loc[used, ["sample_id", "row"]].assign(role="train", fold=-1).reset_index(drop=True)
    seen = choose_input(pixels, features, training, views)
    data = TrainingData(
        seen,
        samples["target"].to_numpy(dtype=float),
        list_rows(rows, "train"),
        np.empty(0, dtype=int),
        1,
        "numbers",
    )
    model, history = run_final(
        train_number_network, data, samples, rows, training, views, machine, training_folder, histories
    )
    if seen is not pixels:
        model = frozen.compose_model(model, training, pixels.shape[1:], 1, machine, task="numbers")
    return model, count_parameters(history, seen, pixels, training, machine)


def describe_model(pixels: np.ndarray, training: Recipe) -> tuple[list[dict[str, Any]], str]:
    """Describe the network before it is trained: its layers, and the same as text."""
    network = training.network
    model = build_network(
        network.name, pixels.shape[1:], 1, training.seed, weights=network.weights, task="numbers"
    )
    return [dict(layer) for layer in describe_network(model)], summarise_network(model)


def predict_baselines(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    folds: pd.DataFrame,
    question: TargetQuestion,
    evaluation: EvaluationParams,
) -> pd.DataFrame:
    """Predict the same test sides without a network: by the mean, by the metadata alone, by simple texture."""
    return number_baselines.predict_number_baselines(samples, pixels, folds, question, evaluation)


def measure_predictions(
    predictions: pd.DataFrame, question: TargetQuestion, evaluation: EvaluationParams
) -> dict[str, Any]:
    """Measure error and agreement of the network and the baselines, each figure with its interval over patients."""
    return number_metrics.measure_targets(predictions, question, evaluation)


def measure_trust(
    predictions: pd.DataFrame, evaluation: EvaluationParams, fold_results: Bundle
) -> dict[str, Any]:
    """Measure how far out-of-fold answers were off, which answers carry along, and the out-of-distribution check.

    Returns:
        ``error_low`` and ``error_high``: true less predicted, between which ``level`` of the answers lay; and the
        shares of images that the check flags.
    """
    network = predictions[predictions["model"] == MAIN_MODEL]
    low, high = number_metrics.limit_errors(
        (network["target"] - network["prediction"]).to_numpy(dtype=float), evaluation.level
    )
    return {
        "level": evaluation.level,
        "error_low": low,
        "error_high": high,
        "in_distribution_share": evaluation.in_distribution_share,
        "out_of_distribution": measure_flagged_shares(fold_results["out_of_distribution"], evaluation),
    }


def draw_agreement(
    record: DatasetRecord, predictions: pd.DataFrame, metrics: dict[str, Any], question: TargetQuestion
) -> Figure:
    """Draw prediction against truth, and Bland and Altman's figure of their differences."""
    network = predictions[predictions["model"] == MAIN_MODEL]
    return figures.draw_agreement(
        network,
        metrics[MAIN_MODEL],
        choose_stamp(record),
        quantity=question.quantity,
        unit=question.measured_in,
    )


def draw_topology(record: DatasetRecord, network: list[dict[str, Any]], question: TargetQuestion) -> Figure:
    """Draw the network from input to target; a backbone is one box."""
    return figures.draw_topology(network, choose_stamp(record), labels=(question.quantity,))


def write_section(
    metrics: dict[str, Any], trust: dict[str, Any], question: TargetQuestion, evaluation: EvaluationParams
) -> Section:
    """Say how far off the answers are, in the unit of what is predicted."""
    return write_target_section(metrics[MAIN_MODEL], trust, question, evaluation.level)


def write_card(
    question: TargetQuestion,
    training: Recipe,
    views: ViewParams,
    evaluation: EvaluationParams,
    **entries: Any,
) -> Card:
    """Gather the final model's card.

    Args:
        question: A parameter is named here with its type, in the order of the inputs: Kedro reads it as that type.
        training: Likewise.
        views: Likewise.
        evaluation: Likewise.
        entries: The other catalog entries, by the names of ``CardInputs``' fields.
    """
    return gather_target_card(
        CardInputs(question=question, training=training, views=views, evaluation=evaluation, **entries)
    )


def write_report(
    question: TargetQuestion,
    evaluation: EvaluationParams,
    training: Recipe,
    views: ViewParams,
    **entries: Any,
) -> str:
    """Put a study's results on one self-contained HTML page.

    Args:
        question: A parameter is named here with its type, in the order of the inputs: Kedro reads it as that type.
        evaluation: Likewise.
        training: Likewise.
        views: Likewise.
        entries: The other catalog entries, by the names of ``ReportInputs``' fields, and figures and sections.
    """
    own = {"question": question, "evaluation": evaluation, "training": training, "views": views}
    inputs = ReportInputs.gather(entries | own)
    measures = inputs.metrics[MAIN_MODEL]
    headline, error = measures[question.headline], measures["mae"]
    people = (
        f"of {measures['patients']} patients"
        if inputs.record.patients_known
        else "(images kept apart; patients unknown)"
    )
    logger.info(
        "%s of %s: %s, mean absolute error %s on %d %s %s",
        name_measure(question.headline),
        question.quantity,
        format_measure(headline),
        " ".join(filter(None, (format_measure(error), question.measured_in))),
        measures["samples"],
        question.unit,
        people,
    )
    return build_report(compose_report(inputs))
