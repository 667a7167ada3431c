from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mammoscan import figures
from mammoscan.pipelines.modelling import nodes as modelling
from mammoscan.pipelines.modelling.fingerprints import describe_data
from mammoscan.pipelines.reporting.drawing import choose_stamp
from mammoscan.pipelines.search.evaluating import InnerFolds
from mammoscan.pipelines.search.telling import tell_value
from mammoscan.pipelines.search.trials import (
    CHOSEN,
    list_ended,
    name_search,
    open_search,
    require_optuna,
    run_trials,
    tabulate_trials,
)
from mammoscan.progress import show_progress
from mammoscan.studies import (
    BalanceParams,
    MachineParams,
    Question,
    Recipe,
    SearchParams,
    SplitParams,
    ViewParams,
    apply_values,
    read_values,
)
from mammoscan.tracking import log_child_run

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
    record: dict[str, Any],
    folder: Path,
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
        folder: Where trials are kept.

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
    described["data"] = record["fingerprint"]
    described["seen"] = describe_data(samples, pixels, inner.rows)
    described["precision"] = machine.precision
    study = open_search(folder, name_search(described), search)
    kept = len(list_ended(study))
    if kept:
        logger.info("%s: %d trials are there already", title, min(kept, search.trials))

    with show_progress(title) as advance:

        def follow(place: int, trial: Any) -> None:
            value = "diverged" if trial.value is None else f"{search.measure} {trial.value:.3f}"
            advance(place + 1, search.trials, value)
            log_child_run(
                f"fold_{fold}/trial_{place}",
                params=trial.params,
                metrics={} if trial.value is None else {f"inner_{search.measure}": trial.value},
                tags={"fold": str(fold), "trial": str(place)},
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
    values = ", ".join(f"{key} {tell_value(value)}" for key, value in best.params.items())
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
    checkpoints: Path,
) -> tuple[Any, dict[str, Any]]:
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
        checkpoints=checkpoints,
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


def draw_trials(record: dict[str, Any], trials: pd.DataFrame, search: SearchParams) -> Figure:
    """Draw what each trial reached, fold by fold."""
    return figures.draw_trials(trials, choose_stamp(record), measure=search.measure)
