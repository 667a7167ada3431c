from __future__ import annotations

import logging
from pathlib import Path
from statistics import median_low
from typing import Any

import numpy as np
import pandas as pd

from mammoscan.evaluation import balance as balancing
from mammoscan.evaluation import baselines, splits
from mammoscan.learning.fit import train_network
from mammoscan.learning.predict import predict_probabilities
from mammoscan.networks.describe import describe_network, summarise_network
from mammoscan.networks.registry import build_network
from mammoscan.pipelines.modelling.fingerprints import describe_data
from mammoscan.pipelines.modelling.following import follow_training, name_variant
from mammoscan.sources.tables import read_folds
from mammoscan.studies import (
    BalanceParams,
    EvaluationParams,
    MachineParams,
    Question,
    Recipe,
    SplitParams,
    ViewParams,
)

CHECKPOINT = "training.ckpt"

logger = logging.getLogger("mammoscan")


def divide_samples(samples: pd.DataFrame, split: SplitParams) -> pd.DataFrame:
    """Divide the samples into folds, or adopt the division in ``split.file``.

    Returns:
        ``folds``: a row a sample, a column a fold, saying on which side it stands.
    """
    return splits.divide_samples(samples, split, split.folds, given=read_folds(split.file))


def divide_pool(samples: pd.DataFrame, pool: pd.DataFrame, split: SplitParams) -> pd.DataFrame:
    """Divide the samples that balancing left; the others are ``out`` of every fold."""
    return splits.divide_samples(
        samples, split, split.folds, pool=set(pool["sample_id"]), given=read_folds(split.file)
    )


def split_folds(folds: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Give each fold its own rows, so that folds can be worked on apart."""
    return {
        f"{name}_rows": rows[rows["role"] != "out"].assign(fold=int(name.removeprefix("fold_")))
        for name, rows in splits.split_folds(folds).items()
    }


def balance_samples(
    rows: pd.DataFrame, samples: pd.DataFrame, balance: BalanceParams
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the classes of a fold's training side even; its test and validation rows stay as they are.

    Returns:
        The fold's rows, and the counts of each class on the training side before and after.
    """
    kept = balancing.balance_rows(rows, samples, balance)
    before, after = (samples.iloc[some.loc[some["role"] == "train", "row"]] for some in (rows, kept))
    return kept, balancing.count_classes(before, after)


def balance_pool(
    samples: pd.DataFrame, census: pd.DataFrame, balance: BalanceParams
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the classes even before they are divided, as the article did.

    Args:
        samples: The samples that the question is about.
        census: Group and severity of all images of the data set, which set the sizes.
        balance: The article's method.

    Returns:
        The samples left, and the counts of each class before and after.
    """
    pool = balancing.balance_samples(samples, balance, reference=census)
    return pool, balancing.count_classes(samples, pool)


def gather_counts(*counts: pd.DataFrame) -> pd.DataFrame:
    """Put the folds' counts into one table: the mean over the folds."""
    keys = [name for name in counts[0].columns if name not in ("before", "after")]
    totals = pd.concat(counts).groupby(keys, sort=False)[["before", "after"]].sum()
    # A fold without a class has no row for it, but counts as nothing of it.
    return (totals / len(counts)).round(1).reset_index()


def train_fold(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    rows: pd.DataFrame,
    question: Question,
    training: Recipe,
    views: ViewParams,
    split: SplitParams,
    machine: MachineParams,
    checkpoints: Path,
) -> tuple[Any, dict[str, Any]]:
    """Train the network on one fold's training side; the epoch is chosen on its validation side.

    In an article's own protocol the test side chooses the epoch, if ``split.choose_epoch_on`` says so.

    Returns:
        The model with the weights of the best epoch, and the history of the training.
    """
    fold = int(rows["fold"].iloc[0])
    title = f"{name_variant(checkpoints)}fold {fold + 1} of {split.folds}"
    with follow_training(checkpoints, title) as on_epoch:
        model, history = train_network(
            pixels,
            samples["target"].to_numpy(),
            _rows_of(rows, "train"),
            _rows_of(rows, split.choose_epoch_on),
            n_labels=len(question.labels),
            recipe=training,
            machine=machine,
            views=views,
            on_epoch=on_epoch,
            checkpoint=checkpoints / CHECKPOINT,
            fingerprint=describe_data(samples, pixels, rows),
        )
    logger.info(
        "%s: %d epochs, best %d, %.0f s",
        title,
        len(history["epochs"]),
        history["best_epoch"],
        sum(epoch["seconds"] for epoch in history["epochs"]),
    )
    return model, history


def predict_fold(
    model: Any,
    samples: pd.DataFrame,
    pixels: np.ndarray,
    rows: pd.DataFrame,
    question: Question,
    training: Recipe,
    views: ViewParams,
    machine: MachineParams,
) -> pd.DataFrame:
    """Predict one fold's test side.

    Returns:
        ``predictions``: a row a test sample, with a probability for each label.
    """
    test = _rows_of(rows, "test")
    probabilities = predict_probabilities(model, pixels, test, recipe=training, views=views, machine=machine)
    table = samples.iloc[test][["sample_id", "patient_id", "label", "target"]].reset_index(drop=True)
    table.insert(0, "model", "cnn")
    table.insert(1, "fold", int(rows["fold"].iloc[0]))
    for index, label in enumerate(question.labels):
        table[f"p_{label}"] = probabilities[:, index]
    return table


def train_final(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    folds: pd.DataFrame,
    question: Question,
    training: Recipe,
    views: ViewParams,
    balance: BalanceParams,
    machine: MachineParams,
    checkpoints: Path,
    *histories: dict[str, Any],
) -> tuple[Any, dict[str, Any]]:
    """Train the model that is handed on: all patients, the median of the folds' best epochs, no validation."""
    epochs = median_low(history["best_epoch"] for history in histories)
    rows = folds[["sample_id", "row"]].assign(role="train", fold=-1)
    rows = balancing.balance_rows(rows, samples, balance)
    with follow_training(checkpoints, "final model") as on_epoch:
        model, history = train_network(
            pixels,
            samples["target"].to_numpy(),
            _rows_of(rows, "train"),
            np.empty(0, dtype=int),
            n_labels=len(question.labels),
            recipe=training,
            machine=machine,
            views=views,
            epochs=epochs,
            on_epoch=on_epoch,
            checkpoint=checkpoints / CHECKPOINT,
            fingerprint=describe_data(samples, pixels, rows),
        )
    logger.info("final model: %d epochs on all %d patients", epochs, samples["patient_id"].nunique())
    return model, history


def predict_baselines(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    folds: pd.DataFrame,
    question: Question,
    evaluation: EvaluationParams,
) -> pd.DataFrame:
    """Predict the same test sides without a network: by the majority, by the metadata alone, by simple texture."""
    return baselines.predict_baselines(samples, pixels, folds, question, evaluation)


def pool_predictions(*tables: pd.DataFrame) -> pd.DataFrame:
    """Put predictions together: every sample was predicted by a model that never saw its patient.

    In an article's own protocol that holds only as far as its split does.
    """
    return pd.concat(tables, ignore_index=True)


def describe_model(
    pixels: np.ndarray, question: Question, training: Recipe
) -> tuple[list[dict[str, Any]], str]:
    """Describe the network before it is trained.

    Returns:
        Its layers with output shapes and parameters, and the same as text.
    """
    model = build_network(training.network.name, pixels.shape[1:], len(question.labels), training.seed)
    return [dict(layer) for layer in describe_network(model)], summarise_network(model)


def _rows_of(rows: pd.DataFrame, role: str) -> np.ndarray:
    return rows.loc[rows["role"] == role, "row"].to_numpy(dtype=int)
