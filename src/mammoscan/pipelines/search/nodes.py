"""Nodes of the search for a recipe, and what the report says of it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mammoscan import figures
from mammoscan.datasets import Bundle
from mammoscan.evaluation.comparison import compare_predictions
from mammoscan.params import (
    BalanceParams,
    EvaluationParams,
    MachineParams,
    Question,
    Recipe,
    SearchParams,
    SplitParams,
    ViewParams,
    apply_values,
    read_values,
)
from mammoscan.pipelines.modelling import nodes as modelling
from mammoscan.pipelines.modelling.nodes import describe_data
from mammoscan.pipelines.reporting.nodes import choose_stamp
from mammoscan.pipelines.search.trials import (
    CHOSEN,
    InnerFolds,
    list_ended,
    name_search,
    open_search,
    require_optuna,
    run_trials,
    tabulate_trials,
)
from mammoscan.progress import show_progress
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.history import History
from mammoscan.records.section import Section, Table
from mammoscan.reporting.format import format_value
from mammoscan.reporting.render import say_paragraphs
from mammoscan.tracking.live import log_trial

HEADLINE = "auc"


def describe_search(
    plan: dict[str, int],
    fold_results: Bundle,
    predictions: pd.DataFrame,
    own_predictions: pd.DataFrame,
    question: Question,
    evaluation: EvaluationParams,
    search: SearchParams,
) -> Section:
    """Set the score of the searched recipes beside that of the study's own, on the same patients.

    Args:
        plan: What was counted before the search.
        fold_results: With the trials of all folds.
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
    keys = tuple(search.list_ranges())
    trials = fold_results["trials"]
    owns = trials[trials["own_recipe"]].set_index("fold")["value"]
    scores = Table(
        caption="AUC on the test patients of all folds",
        columns=("", "AUC"),
        rows=(
            ("the recipe found in each fold", compared["a"]),
            ("the study's own recipe", compared["b"]),
            ("difference", pick_measure(compared)),
        ),
    )
    found_values = Table(
        caption=f"What was found: {search.measure} among the training patients",
        columns=("fold", "own recipe", "best trial", "trial", *keys),
        rows=tuple(
            (
                str(row["fold"] + 1),
                format_value(owns.get(row["fold"])),
                format_value(row["value"]),
                str(row["trial"] + 1),
                *(format_value(row[key]) for key in keys),
            )
            for row in trials[trials[CHOSEN]].to_dict("records")
        ),
    )
    return Section(
        title="Search for a recipe",
        paragraphs=say_paragraphs("search", plan=plan),
        tables=(scores, found_values),
        figures=("trials",),
    )


def pick_measure(measure: dict[str, Any]) -> dict[str, Any]:
    """Return the value with its interval."""
    return {key: measure[key] for key in ("value", "low", "high")}


logger = logging.getLogger("mammoscan")


def count_trainings(search: SearchParams, split: SplitParams) -> dict[str, int]:
    """Count what is going to be trained, and refuse a search that could not be done before anything is."""
    require_optuna()
    trainings = search.trials * search.inner_folds * split.folds
    logger.info(
        "search: %d folds x %d trials x %d inner folds = %d trainings",
        split.folds,
        search.trials,
        search.inner_folds,
        trainings,
    )
    return {
        "folds": split.folds,
        "trials": search.trials,
        "inner_folds": search.inner_folds,
        "trainings": trainings,
    }


def search_recipe(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    rows: pd.DataFrame,
    question: Question,
    training: Recipe,
    views: ViewParams,
    split: SplitParams,
    balance: BalanceParams,
    search: SearchParams,
    machine: MachineParams,
    record: DatasetRecord,
    training_folder: Path,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Search for the best recipe among a fold's training patients; its test patients are not looked at.

    Args:
        samples: All samples.
        pixels: Their images.
        rows: The fold's rows; only those that train or validate are used.
        question: The labels.
        training: The study's own recipe: the first trial, and what the ranges leave as it is.
        views: Its views.
        split: What stays together, also in the inner division.
        balance: How each inner training side is made even.
        search: The ranges, and how many trials.
        machine: On what it is computed.
        record: The data set, whose fingerprint is in the name of the search.
        training_folder: Where the study's trainings and trials are kept.

    Returns:
        The best recipe with its views, and a row a trial.
    """
    fold = int(rows["fold"].iloc[0])
    title = f"search, fold {fold + 1} of {split.folds}"
    inner = InnerFolds(samples, pixels, rows, question, split, balance, machine, search)
    keys = list(search.list_ranges())
    blocks = {"training": training, "views": views, "split": split, "balance": balance, "search": search}
    described: dict[str, Any] = {name: block.model_dump(mode="json") for name, block in blocks.items()}
    del described["search"]["trials"]  # a search may be made longer
    described["data"] = record.fingerprint
    described["seen"] = describe_data(samples, pixels, inner.rows)
    described["precision"] = machine.precision
    study = open_search(training_folder / f"fold_{fold}" / "search", name_search(described), search)
    kept = len(list_ended(study))
    if kept:
        logger.info("%s: %d trials are there already", title, min(kept, search.trials))

    with show_progress(title) as advance:

        def follow(place: int, trial: Any) -> None:
            value = "diverged" if trial.value is None else f"{search.measure} {trial.value:.3f}"
            advance(place + 1, search.trials, value)
            log_trial(
                f"fold_{fold}/trial_{place}",
                params=trial.params,
                metrics={} if trial.value is None else {f"inner_{search.measure}": trial.value},
                started=trial.datetime_start,
                status="FAILED" if trial.value is None else "FINISHED",
            )

        run_trials(
            study,
            search,
            read_values(keys, training, views),
            lambda values: inner.evaluate(*apply_values(values, training, views)),
            fold=fold,
            on_trial=follow,
        )
    trials = tabulate_trials(study, fold, keys)
    best = study.best_trial
    values = ", ".join(f"{key} {format_value(value)}" for key, value in best.params.items())
    logger.info("%s: %s %.3f with %s", title, search.measure, best.value, values)
    found, found_views = apply_values(best.params, training, views)
    return {
        "trial": int(trials.loc[trials[CHOSEN], "trial"].iloc[0]),
        "measure": search.measure,
        "value": best.value,
        "training": found.model_dump(mode="json"),
        "views": found_views.model_dump(mode="json"),
    }, trials


def train_found(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    rows: pd.DataFrame,
    question: Question,
    recipe: dict[str, Any],
    split: SplitParams,
    machine: MachineParams,
    training_folder: Path,
) -> tuple[Any, History]:
    """Train the recipe that was found on the fold's training side, as any study does."""
    return modelling.train_fold(
        samples=samples,
        pixels=pixels,
        rows=rows,
        question=question,
        training=Recipe(**recipe["training"]),
        views=ViewParams(**recipe["views"]),
        split=split,
        machine=machine,
        training_folder=training_folder,
    )


def predict_found(
    model: Any,
    samples: pd.DataFrame,
    pixels: np.ndarray,
    rows: pd.DataFrame,
    question: Question,
    recipe: dict[str, Any],
    machine: MachineParams,
) -> pd.DataFrame:
    """Predict the fold's test side, which the search has not seen."""
    return modelling.predict_fold(
        model=model,
        samples=samples,
        pixels=pixels,
        rows=rows,
        question=question,
        training=Recipe(**recipe["training"]),
        views=ViewParams(**recipe["views"]),
        machine=machine,
    )


def gather_trials(*tables: pd.DataFrame) -> pd.DataFrame:
    """Put the folds' trials into one table."""
    return pd.concat(tables, ignore_index=True)


def draw_trials(record: DatasetRecord, fold_results: Bundle, search: SearchParams) -> Figure:
    """Draw what each trial reached, fold by fold."""
    return figures.draw_trials(fold_results["trials"], choose_stamp(record), measure=search.measure)
