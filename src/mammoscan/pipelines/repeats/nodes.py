"""Nodes that repeat a study's cross-validation with other splits and other seeds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mammoscan.datasets.bundle import Bundle
from mammoscan.evaluation import repeats
from mammoscan.params import (
    BalanceParams,
    EvaluationParams,
    MachineParams,
    Question,
    Recipe,
    SplitParams,
    ViewParams,
)
from mammoscan.pipelines.modelling.nodes import (
    balance_samples,
    divide_samples,
    predict_fold,
    split_folds,
    train_fold,
)
from mammoscan.records.section import Section, Table
from mammoscan.reporting.render import say_paragraphs


def repeat_fold(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    rows: pd.DataFrame,
    question: Question,
    training: Recipe,
    views: ViewParams,
    split: SplitParams,
    balance: BalanceParams,
    machine: MachineParams,
    training_folder: Path,
    features: np.ndarray | None = None,
) -> pd.DataFrame:
    """Train and predict one fold again: ``split.repeats`` times with another split, as often with another seed.

    Returns:
        The predictions of the test sides, with ``varied`` and ``repeat``; no rows where nothing is repeated.
    """
    number, tables = int(rows["fold"].iloc[0]), []
    for varied, repeat, one_split, recipe in vary_cross_validation(split, training):
        if varied == "split":
            folds = split_folds(divide_samples(samples, one_split))
            fold_rows = folds[f"fold_{number}_rows"]
        else:
            fold_rows = rows
        trained, _ = balance_samples(fold_rows, samples, balance)
        # The folder's name tells MLflow and the bars what is trained.
        folder = training_folder / f"{training_folder.name}.{varied}_{repeat}"
        model, _ = train_fold(
            samples, pixels, trained, question, recipe, views, one_split, machine, folder, features
        )
        found = predict_fold(model, samples, pixels, fold_rows, question, recipe, views, machine, features)
        tables.append(found.assign(varied=varied, repeat=repeat))
    if tables:
        return pd.concat(tables, ignore_index=True)
    columns = ["model", "fold", "sample_id", "patient_id", "label", "target"]
    return pd.DataFrame(columns=[*columns, *(f"p_{label}" for label in question.labels), "varied", "repeat"])


def gather_repeats(*tables: pd.DataFrame) -> pd.DataFrame:
    """Put the folds' repeats into one table."""
    return pd.concat(tables, ignore_index=True)


def measure_repeats(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams, fold_results: Bundle
) -> dict[str, Any]:
    """Measure the spread over patients, splits and seeds."""
    return repeats.measure_repeats(predictions, fold_results["repeat_predictions"], question, evaluation)


def write_repeats_section(measured: dict[str, Any]) -> Section:
    """Say what other patients, splits and seeds change; an empty section where nothing was repeated."""
    title = "Other splits, other seeds"
    count = len(measured["seed"]["values"])
    if not count:
        return Section(title=title)
    rows = [("other patients, these networks", measured["patients"], "–")]
    for varied, name in (("split", "another split, the same seed"), ("seed", "another seed, the same split")):
        values = [value for value in measured[varied]["values"] if value is not None]
        span = f"{min(values):.2f} to {max(values):.2f}" if values else "–"
        rows.append((name, measured[varied]["spread"], span))
    table = Table(
        caption="Spread of the AUC",
        columns=("What varies", "Standard deviation", "AUC of the repeats"),
        rows=tuple((name, "–" if spread is None else f"{spread:.3f}", span) for name, spread, span in rows),
    )
    return Section(
        title=title,
        paragraphs=say_paragraphs(
            "repeats", count=count, splits=len(measured["split"]["values"]), auc=measured["auc"]
        ),
        tables=(table,),
    )


def vary_cross_validation(
    split: SplitParams, training: Recipe
) -> Iterator[tuple[str, int, SplitParams, Recipe]]:
    """Yield what varies, the repeat's number, its split and its recipe; a given or published split is the only one."""
    for repeat in range(1, split.repeats + 1):
        if split.file is None and split.together != "published":
            yield "split", repeat, split.model_copy(update={"seed": split.seed + repeat}), training
        yield "seed", repeat, split, training.model_copy(update={"seed": training.seed + repeat})
