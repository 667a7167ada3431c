from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median_low
from typing import Any

import numpy as np
import pandas as pd

from mammoscan.data.tables import read_folds
from mammoscan.datasets import ArrayStream, Bundle
from mammoscan.errors import MammoscanError
from mammoscan.evaluation import balance as balancing
from mammoscan.evaluation import baselines, splits
from mammoscan.inference import backbone_features as frozen
from mammoscan.inference.predict import predict_probabilities
from mammoscan.models.registry import build_network
from mammoscan.models.summary import describe_network, summarise_network
from mammoscan.params import (
    BalanceParams,
    EvaluationParams,
    MachineParams,
    Question,
    Recipe,
    SplitParams,
    ViewParams,
)
from mammoscan.progress import show_progress
from mammoscan.records.history import Epoch, Histories, History
from mammoscan.tracking.live import EpochLog, find_variant
from mammoscan.training.checkpoints import CHECKPOINT, CHECKPOINTS
from mammoscan.training.early_stopping import Stopping
from mammoscan.training.head_training import train_head
from mammoscan.training.setup import TrainingData
from mammoscan.training.train import TrainingOptions, train_network

BLOCK_BYTES = 64 * 1024**2
DIGITS = 16


def describe_data(samples: pd.DataFrame, pixels: np.ndarray, rows: pd.DataFrame) -> dict[str, str]:
    """Say what a training sees, in a few digits each: a resumed one must see the same.

    Args:
        samples: The samples, in the order of the pixels.
        pixels: uint8 ``[N, H, W, C]``, possibly memory-mapped; read once, block by block.
        rows: The fold's rows and roles.
    """
    tables = {"samples": samples[["sample_id", "target"]], "rows": rows}
    hashed = {name: pd.util.hash_pandas_object(table, index=False) for name, table in tables.items()}
    # Over the bytes, not their sum: the order of samples is the order of their pixels.
    told = {name: hashlib.sha256(hashes.to_numpy().tobytes()).hexdigest() for name, hashes in hashed.items()}
    told["pixels"] = hash_pixels(pixels)
    return {name: digest[:DIGITS] for name, digest in told.items()}


def hash_pixels(pixels: np.ndarray) -> str:
    """Return the SHA-256 of an array's bytes, without holding more than a block of it."""
    digest = hashlib.sha256()
    step = max(1, BLOCK_BYTES // max(1, pixels[:1].nbytes))
    for start in range(0, len(pixels), step):
        digest.update(np.ascontiguousarray(pixels[start : start + step]).data)
    return digest.hexdigest()


@contextmanager
def follow_training(
    checkpoints: Path, title: str, epochs: int, monitor: str
) -> Iterator[Callable[[Epoch], None]]:
    """Show a bar with the best epoch so far and send every epoch to MLflow while a network trains.

    Args:
        checkpoints: The training's own folder: the catalog names it by study and fold, so it tells what is trained.
        title: What stands beside the bar.
        epochs: The last epoch at most.
        monitor: The validation score by which the best epoch is chosen.
    """
    study, part = checkpoints.parts[-3:-1]
    whole = "/".join(word for word in (find_variant(study), part) if word)
    best = Stopping(monitor, None)
    with EpochLog(whole) as log, show_progress(title) as advance:

        def on_epoch(epoch: Epoch) -> None:
            log.add(epoch)
            words = f"loss {epoch.loss:.3f}"
            score = getattr(epoch, f"val_{monitor}")
            if score is not None and not np.isnan(score):
                best.note_epoch(epoch.epoch, epoch.model_dump())
            if best.best_epoch:
                words += f", best {monitor} {abs(best.best):.3f} in epoch {best.best_epoch}"
            advance(epoch.epoch, epochs, words)

        yield on_epoch


def name_variant(study: str) -> str:
    """Return the variant of a study that is trained, in words and with a colon; nothing for the study itself."""
    variant = find_variant(study)
    return f"{variant.replace('_', ' ')}: " if variant else ""


def compute_features(
    pixels: np.ndarray, folds: pd.DataFrame, training: Recipe, views: ViewParams, machine: MachineParams
) -> ArrayStream | np.ndarray:
    """Compute the frozen backbone's features of every image once.

    Returns:
        ``features``, ``[N, D]``: zero where a row has no part in any fold, and without columns where the recipe's
        backbone learns too.
    """
    if not training.freeze:
        return np.empty((len(pixels), 0), np.float32)
    frozen.check_features(training, views)

    count, blocks = frozen.compute_features(pixels, training, machine, splits.find_used_rows(folds))

    def follow() -> Iterator[np.ndarray]:
        done = 0
        with show_progress("features") as advance:
            for block in blocks:
                yield block
                done += len(block)
                advance(done, len(pixels), "")

    return ArrayStream((len(pixels), count), "float32", follow())


def choose_input(
    pixels: np.ndarray, features: np.ndarray | None, training: Recipe, views: ViewParams
) -> np.ndarray:
    """Return what the network learns from: the images, or the features where its backbone is frozen."""
    if features is None or not training.freeze:
        return pixels
    frozen.check_features(training, views)
    if features.shape[1] == 0 or len(features) != len(pixels):
        raise MammoscanError(
            f"features: found {features.shape[1]} of {len(features)} images, expected those of all {len(pixels)} "
            "images, as training.freeze is true; run again from the node compute_features"
        )
    return features


def count_parameters(
    history: History, seen: np.ndarray, pixels: np.ndarray, training: Recipe, machine: MachineParams
) -> History:
    """Return the history of a training with the parameters of the whole network, also where a head was trained."""
    if seen is pixels:
        return history
    below = frozen.count_backbone(training, pixels.shape[1:], machine)
    return history.model_copy(update={"parameters": below + history.parameters})


def complete_model(
    model: Any, pixels: np.ndarray, question: Question, training: Recipe, machine: MachineParams
) -> Any:
    """Put a head that was trained on features on its backbone.

    Args:
        model: The head.
        pixels: The images.
        question: Its labels are the outputs.
        training: The recipe.
        machine: Its precision.

    Returns:
        The whole model, image in.
    """
    return frozen.compose_model(model, training, pixels.shape[1:], len(question.labels), machine)


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
        f"{name}_rows": rows.assign(fold=int(name.removeprefix("fold_")))
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
    """Put the folds' class counts into one table."""
    return pd.concat([table.assign(fold=fold) for fold, table in enumerate(counts)], ignore_index=True)


def average_counts(fold_results: Bundle) -> pd.DataFrame:
    """Average the class counts over the folds."""
    counts = fold_results["fold_counts"]
    keys = [name for name in counts.columns if name not in ("before", "after", "fold")]
    totals = counts.groupby(keys, sort=False)[["before", "after"]].sum()
    # A fold without a class has no row for it, but counts as nothing of it.
    return (totals / counts["fold"].nunique()).round(1).reset_index()


def describe_model(
    pixels: np.ndarray, question: Question, training: Recipe
) -> tuple[list[dict[str, Any]], str]:
    """Describe the network before it is trained.

    Returns:
        Its layers with output shapes and parameters, and the same as text.
    """
    network = training.network
    model = build_network(
        network.name, pixels.shape[1:], len(question.labels), training.seed, weights=network.weights
    )
    return [dict(layer) for layer in describe_network(model)], summarise_network(model)


def predict_baselines(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    folds: pd.DataFrame,
    question: Question,
    evaluation: EvaluationParams,
) -> pd.DataFrame:
    """Predict the same test sides without a network: by the majority, by the metadata alone, by simple texture."""
    return baselines.predict_baselines(samples, pixels, folds, question, evaluation)


def gather_histories(*histories: History) -> Histories:
    """Put the folds' trainings together."""
    return Histories(folds=list(histories))


def gather_predictions(*tables: pd.DataFrame) -> pd.DataFrame:
    """Put the folds' predictions into one table: each sample predicted by a model that did not train on it."""
    return pd.concat(tables, ignore_index=True)


def gather_results(**parts: Any) -> list[str]:
    """Put what belongs together under one name; the graph shows one shape for it."""
    return list(parts)


def pool_predictions(fold_results: Bundle) -> pd.DataFrame:
    """Pool the out-of-fold predictions of the network and of the baselines.

    No model saw a patient whom it predicts; in an article's own protocol that holds only as far as its split does.
    """
    return pd.concat(
        [fold_results["fold_predictions"], fold_results["baseline_predictions"]], ignore_index=True
    )


# ``train_network``, or what takes and returns the same.
Train = Callable[[TrainingData, Recipe, MachineParams, ViewParams, TrainingOptions], tuple[Any, History]]

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
    training_folder: Path,
    features: np.ndarray | None = None,
) -> tuple[Any, History]:
    """Train the network on one fold's training side; the epoch is chosen on its validation side.

    In an article's own protocol the test side chooses the epoch, if ``split.choose_epoch_on`` says so. Where the
    backbone is frozen, the head learns from ``features``.

    Returns:
        The model with the weights of the best epoch: image in, or of a frozen backbone's network its head alone;
        and the history of the training.
    """
    seen = choose_input(pixels, features, training, views)
    data = TrainingData(
        seen,
        samples["target"].to_numpy(),
        list_rows(rows, "train"),
        list_rows(rows, split.choose_epoch_on),
        len(question.labels),
    )
    train = train_network if seen is pixels else train_head
    model, history = run_fold(train, data, samples, rows, training, views, split, machine, training_folder)
    return model, count_parameters(history, seen, pixels, training, machine)


def run_fold(
    train: Train,
    data: TrainingData,
    samples: pd.DataFrame,
    rows: pd.DataFrame,
    training: Recipe,
    views: ViewParams,
    split: SplitParams,
    machine: MachineParams,
    training_folder: Path,
) -> tuple[Any, History]:
    """Train one fold's network with a checkpoint and a bar; the arguments are those of ``train_fold``."""
    fold = int(rows["fold"].iloc[0])
    folder = training_folder / f"fold_{fold}" / CHECKPOINTS
    title = f"{name_variant(training_folder.name)}fold {fold + 1} of {split.folds}"
    with follow_training(folder, title, training.epochs, training.monitor) as on_epoch:
        options = TrainingOptions(
            on_epoch=on_epoch,
            checkpoint=folder / CHECKPOINT,
            fingerprint=describe_data(samples, data.pixels, rows),
        )
        model, history = train(data, training, machine, views, options)
    logger.info(
        "%s: %d epochs, best %d, %.0f s",
        title,
        len(history.epochs),
        history.best_epoch,
        sum(epoch.seconds for epoch in history.epochs),
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
    features: np.ndarray | None = None,
) -> pd.DataFrame:
    """Predict one fold's test side.

    Returns:
        ``predictions``: a row a test sample, with a probability for each label.
    """
    test = list_rows(rows, "test")
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
    training_folder: Path,
    histories: Histories,
    features: np.ndarray | None = None,
) -> tuple[Any, History]:
    """Train the model that is handed on: all patients, the median of the folds' best epochs, no validation.

    Where the learning rate changed in the folds, it follows the one whose best epoch is the median. Where the backbone
    is frozen, the head learns from ``features`` and is put on its backbone.

    Args:
        samples: All samples.
        pixels: Their images.
        folds: One row per sample.
        question: The labels.
        training: The recipe.
        views: How training images are turned.
        balance: How the folds' training sides were made even.
        machine: On what it is computed.
        training_folder: Where the study's trainings keep their checkpoints.
        histories: Those of the folds.
        features: What a frozen backbone makes of the images.
    """
    used = folds["row"].isin(splits.find_used_rows(folds))
    rows = folds.loc[used, ["sample_id", "row"]].assign(role="train", fold=-1).reset_index(drop=True)
    rows = balancing.balance_rows(rows, samples, balance)
    seen = choose_input(pixels, features, training, views)
    data = TrainingData(
        seen,
        samples["target"].to_numpy(),
        list_rows(rows, "train"),
        np.empty(0, dtype=int),
        len(question.labels),
    )
    train = train_network if seen is pixels else train_head
    model, history = run_final(
        train, data, samples, rows, training, views, machine, training_folder, histories
    )
    history = count_parameters(history, seen, pixels, training, machine)
    whole = model if seen is pixels else complete_model(model, pixels, question, training, machine)
    return whole, history


def run_final(
    train: Train,
    data: TrainingData,
    samples: pd.DataFrame,
    rows: pd.DataFrame,
    training: Recipe,
    views: ViewParams,
    machine: MachineParams,
    training_folder: Path,
    histories: Histories,
) -> tuple[Any, History]:
    """Train the final network for the median of the folds' best epochs; the arguments are those of ``train_final``."""
    trainings = [training for fold in histories.folds for training in (fold, *fold.others)]
    epochs = median_low(history.best_epoch for history in trainings)
    followed = next(history for history in trainings if history.best_epoch == epochs)
    folder = training_folder / "final" / CHECKPOINTS
    with follow_training(folder, "final model", epochs, training.monitor) as on_epoch:
        options = TrainingOptions(
            epochs=epochs,
            rates=[epoch.learning_rate for epoch in followed.epochs[:epochs]]
            if training.plateau is not None or training.cosine is not None
            else None,
            on_epoch=on_epoch,
            checkpoint=folder / CHECKPOINT,
            fingerprint=describe_data(samples, data.pixels, rows),
        )
        model, history = train(data, training, machine, views, options)
    logger.info(
        "final model: %d epochs on all %d patients",
        epochs,
        samples.iloc[rows["row"]]["patient_id"].nunique(),
    )
    return model, history


def list_rows(rows: pd.DataFrame, role: str) -> np.ndarray:
    """Return the positions of a fold's rows of one role."""
    return rows.loc[rows["role"] == role, "row"].to_numpy(dtype=int)
