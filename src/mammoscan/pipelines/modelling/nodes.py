from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from statistics import median_low
from typing import Any

import numpy as np
import pandas as pd

from mammoscan.evaluation import balance as balancing
from mammoscan.learning.fit import train_network
from mammoscan.learning.heads_on_features import train_head
from mammoscan.learning.predict import predict_probabilities
from mammoscan.pipelines.modelling.fingerprints import describe_data
from mammoscan.pipelines.modelling.following import follow_training, name_variant
from mammoscan.pipelines.modelling.freezing import choose_input, complete_model, count_parameters
from mammoscan.studies import (
    BalanceParams,
    MachineParams,
    Question,
    Recipe,
    SplitParams,
    ViewParams,
)

CHECKPOINT = "training.ckpt"

logger = logging.getLogger("mammoscan")


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
    features: np.ndarray | None = None,
) -> tuple[Any, dict[str, Any]]:
    """Train the network on one fold's training side; the epoch is chosen on its validation side.

    In an article's own protocol the test side chooses the epoch, if ``split.choose_epoch_on`` says so. Where the
    backbone is frozen, the head learns from ``features``.

    Returns:
        The model with the weights of the best epoch: image in, or of a frozen backbone's network its head alone;
        and the history of the training.
    """
    fold = int(rows["fold"].iloc[0])
    title = f"{name_variant(checkpoints)}fold {fold + 1} of {split.folds}"
    seen = choose_input(pixels, features, training, views)
    with follow_training(checkpoints, title) as on_epoch:
        model, history = (train_network if seen is pixels else train_head)(
            seen,
            samples["target"].to_numpy(),
            _rows_of(rows, "train"),
            _rows_of(rows, split.choose_epoch_on),
            n_labels=len(question.labels),
            recipe=training,
            machine=machine,
            views=views,
            on_epoch=on_epoch,
            checkpoint=checkpoints / CHECKPOINT,
            fingerprint=describe_data(samples, seen, rows),
        )
    logger.info(
        "%s: %d epochs, best %d, %.0f s",
        title,
        len(history["epochs"]),
        history["best_epoch"],
        sum(epoch["seconds"] for epoch in history["epochs"]),
    )
    return model, count_parameters(history, seen, pixels, training, machine)


def predict_fold(
    model: Any,
    samples: pd.DataFrame,
    pixels: np.ndarray,
    rows: pd.DataFrame,
    question: Question,
    training: Recipe,
    views: ViewParams,
    machine: MachineParams,
    features: np.ndarray | None = None,
) -> pd.DataFrame:
    """Predict one fold's test side.

    Returns:
        ``predictions``: a row a test sample, with a probability for each label.
    """
    test = _rows_of(rows, "test")
    seen = choose_input(pixels, features, training, views)
    probabilities = predict_probabilities(model, seen, test, recipe=training, views=views, machine=machine)
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
    """Train the model that is handed on: all patients, the median of the folds' best epochs, no validation.

    Where the learning rate was cut in the folds, it follows the one whose best epoch is the median.
    """
    return _train_on_all(
        samples, pixels, None, folds, question, training, views, balance, machine, checkpoints, histories
    )


def train_final_on_features(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    features: np.ndarray,
    folds: pd.DataFrame,
    question: Question,
    training: Recipe,
    views: ViewParams,
    balance: BalanceParams,
    machine: MachineParams,
    checkpoints: Path,
    *histories: dict[str, Any],
) -> tuple[Any, dict[str, Any]]:
    """Train the model that is handed on; where its backbone is frozen, the head learns from the features."""
    return _train_on_all(
        samples, pixels, features, folds, question, training, views, balance, machine, checkpoints, histories
    )


def _train_on_all(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    features: np.ndarray | None,
    folds: pd.DataFrame,
    question: Question,
    training: Recipe,
    views: ViewParams,
    balance: BalanceParams,
    machine: MachineParams,
    checkpoints: Path,
    histories: Sequence[dict[str, Any]],
) -> tuple[Any, dict[str, Any]]:
    epochs = median_low(history["best_epoch"] for history in histories)
    followed = next(history for history in histories if history["best_epoch"] == epochs)
    rows = folds[["sample_id", "row"]].assign(role="train", fold=-1)
    rows = balancing.balance_rows(rows, samples, balance)
    seen = choose_input(pixels, features, training, views)
    with follow_training(checkpoints, "final model") as on_epoch:
        model, history = (train_network if seen is pixels else train_head)(
            seen,
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
            fingerprint=describe_data(samples, seen, rows),
            rates=[epoch["learning_rate"] for epoch in followed["epochs"][:epochs]]
            if training.plateau is not None
            else None,
        )
    logger.info("final model: %d epochs on all %d patients", epochs, samples["patient_id"].nunique())
    history = count_parameters(history, seen, pixels, training, machine)
    whole = model if seen is pixels else complete_model(model, pixels, question, training, machine)
    return whole, history


def _rows_of(rows: pd.DataFrame, role: str) -> np.ndarray:
    return rows.loc[rows["role"] == role, "row"].to_numpy(dtype=int)
