"""Nodes of the out-of-distribution check, of calibration and threshold, and of the model's card."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mammoscan import figures
from mammoscan.data.mias_regions import SCAN_SIDE
from mammoscan.datasets import Bundle
from mammoscan.evaluation import operating_point, training_fingerprint
from mammoscan.evaluation.out_of_distribution import (
    AS_IS,
    describe_levels,
    fit_reference,
    floor_levels,
    measure_distance,
    measure_flagged_shares,
    share_per_distance,
)
from mammoscan.evaluation.splits import find_used_rows
from mammoscan.inference.embeddings import Embedder
from mammoscan.params import (
    CropParams,
    EvaluationParams,
    MachineParams,
    PackParams,
    Question,
    Recipe,
    ScanGridParams,
    ViewParams,
)
from mammoscan.pipelines.reporting.nodes import choose_stamp
from mammoscan.records.card import (
    Card,
    ImageInput,
    ModelInput,
    WindowInput,
)
from mammoscan.records.dataset import DatasetRecord
from mammoscan.reporting.card_content import CardInputs, gather_card
from mammoscan.reporting.model_card import write_markdown

HEADLINE = "auc"


def describe_windows(crop: CropParams, grid: ScanGridParams, pixels: np.ndarray) -> ModelInput:
    """Describe the network's input: a window of a scan's standardised grid, or the square of a region's radius."""
    window = WindowInput(kind=crop.kind, size=crop.size, grid=grid, scan_side=SCAN_SIDE, scales=crop.scales)
    return ModelInput(input=window, shape=_read_shape(pixels))


def describe_images(pack: PackParams, pixels: np.ndarray) -> ModelInput:
    """Describe the network's input: a whole image file, resized."""
    image = ImageInput(kind="image", size=pack.size, channels=pack.channels, levels=pack.levels)
    return ModelInput(input=image, shape=_read_shape(pixels))


def _read_shape(pixels: np.ndarray) -> tuple[int, int, int]:
    height, width, channels = map(int, pixels.shape[1:])
    return height, width, channels


def write_card(
    question: Question, training: Recipe, views: ViewParams, evaluation: EvaluationParams, **entries: Any
) -> Card:
    """Gather the card of a study's packaged model.

    Args:
        question: A parameter is named here with its type, in the order of the inputs: Kedro reads it as that type.
        training: Likewise.
        views: Likewise.
        evaluation: Likewise.
        entries: The other catalog entries, by the names of ``CardInputs``' fields.
    """
    inputs = CardInputs(question=question, training=training, views=views, evaluation=evaluation, **entries)
    return gather_card(inputs)


def write_model_card(card: Card) -> str:
    """Write the card for people; what a machine reads of it is written when the model is packaged."""
    return write_markdown(card)


# More images say hardly more, and each costs a pass through the network: the larger they are, the fewer.
MAX_REFERENCES, MAX_TESTED = 500, 300
MIN_REFERENCES, MIN_TESTED = 100, 50
REFERENCE_BYTES, TESTED_BYTES = 15_000_000, 6_000_000


def measure_out_of_distribution(
    model: Any,
    samples: pd.DataFrame,
    pixels: np.ndarray,
    rows: pd.DataFrame,
    training: Recipe,
    evaluation: EvaluationParams,
    machine: MachineParams,
    features: np.ndarray | None = None,
) -> pd.DataFrame:
    """Fit the out-of-distribution check on a fold's training side, and try it on its test side.

    ``features`` are those of a frozen backbone, where there is one: images as they are need not pass it again.

    Returns:
        A row a test image and way of showing it (as it is, inverted, or noise in its stead): its two distances as
        shares of their limits, and whether it was flagged as out of distribution.
    """
    seen = Embedder(model, pixels, training, machine, features)
    references = _draw(rows, "train", _count_references(pixels), evaluation)
    reference = _fit(seen, samples, pixels, references, evaluation)
    each = int(np.prod(pixels.shape[1:]))
    tested = _draw(rows, "test", int(np.clip(TESTED_BYTES // each, MIN_TESTED, MAX_TESTED)), evaluation)
    shown = np.asarray(pixels[tested])
    noise = np.random.default_rng(evaluation.seed).integers(0, 256, shown.shape, dtype=np.uint8)
    tables = []
    for name, images in ((AS_IS, shown), ("inverted", 255 - shown), ("noise", noise)):
        found = seen.embed_rows(tested) if name == AS_IS else seen.embed_images(images)
        table = samples.iloc[tested][["sample_id", "patient_id"]].assign(shown=name)
        table["levels"] = (
            measure_distance(describe_levels(images), reference["levels"]) / reference["levels"]["limit"]
        )
        table["features"] = measure_distance(found, reference["features"]) / reference["features"]["limit"]
        tables.append(table)
    result = pd.concat(tables, ignore_index=True)
    return result.assign(out_of_distribution=(result["levels"] > 1) | (result["features"] > 1))


def fit_out_of_distribution(
    model: Any,
    samples: pd.DataFrame,
    pixels: np.ndarray,
    folds: pd.DataFrame,
    training: Recipe,
    evaluation: EvaluationParams,
    machine: MachineParams,
    features: np.ndarray | None = None,
) -> dict[str, Any]:
    """Fit the final model's out-of-distribution check on its training images."""
    everything = pd.DataFrame({"row": find_used_rows(folds), "role": "train"})
    rows = _draw(everything, "train", _count_references(pixels), evaluation)
    return _fit(Embedder(model, pixels, training, machine, features), samples, pixels, rows, evaluation)


def fingerprint_training(pixels: np.ndarray, folds: pd.DataFrame) -> pd.DataFrame:
    """Take the fingerprint of the final model's training images: digests, by which an image is known again."""
    return training_fingerprint.fingerprint_images(pixels, find_used_rows(folds))


def gather_out_of_distribution(*tables: pd.DataFrame) -> pd.DataFrame:
    """Put the folds' tables of the out-of-distribution check into one."""
    return pd.concat(tables, ignore_index=True)


def measure_trust(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams, fold_results: Bundle
) -> dict[str, Any]:
    """Fit temperature and threshold on the out-of-fold predictions, and measure what they are worth.

    Returns:
        What ``evaluation.trust.measure_trust`` returns, and ``out_of_distribution``: the share of held-out
        and of altered images that the out-of-distribution check flags.
    """
    measured = operating_point.measure_trust(predictions, question, evaluation)
    shares = measure_flagged_shares(fold_results["out_of_distribution"], evaluation)
    return measured | {
        "in_distribution_share": evaluation.in_distribution_share,
        "out_of_distribution": shares,
    }


def draw_calibration(record: DatasetRecord, measured: dict[str, Any], question: Question) -> Figure:
    """Draw the reliability of the probabilities before and after calibration."""
    sides = measured["calibration"]
    return figures.draw_calibration(
        sides["before"]["bins"], sides["after"]["bins"], choose_stamp(record), positive=question.positive
    )


def _count_references(pixels: np.ndarray) -> int:
    each = int(np.prod(pixels.shape[1:]))
    return int(np.clip(REFERENCE_BYTES // each, MIN_REFERENCES, MAX_REFERENCES))


def _fit(
    seen: Embedder,
    samples: pd.DataFrame,
    pixels: np.ndarray,
    rows: np.ndarray,
    evaluation: EvaluationParams,
) -> dict[str, Any]:
    images = np.asarray(pixels[rows])
    patients, share = (
        samples["patient_id"].to_numpy()[rows],
        share_per_distance(evaluation.in_distribution_share),
    )
    return {
        "levels": fit_reference(describe_levels(images), patients, share, floor_levels(images.shape[-1])),
        "features": fit_reference(seen.embed_rows(rows), patients, share),
    }


def _draw(rows: pd.DataFrame, role: str, most: int, evaluation: EvaluationParams) -> np.ndarray:
    """Return some rows of one role, drawn without replacement and in order."""
    found = np.sort(rows.loc[rows["role"] == role, "row"].to_numpy(dtype=int))
    if len(found) <= most:
        return found
    return np.sort(np.random.default_rng(evaluation.seed).choice(found, most, replace=False))
