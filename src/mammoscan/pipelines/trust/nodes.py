from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mammoscan import figures
from mammoscan.evaluation import trust
from mammoscan.evaluation.alarms import AS_IS, measure_alarms
from mammoscan.evaluation.strangeness import (
    describe_levels,
    fit_familiar,
    floor_levels,
    measure_distance,
    share_each,
)
from mammoscan.learning.penultimate import Penultimate
from mammoscan.pipelines.reporting.drawing import choose_stamp
from mammoscan.studies import EvaluationParams, MachineParams, Question, Recipe

# More images say hardly more, and each costs a pass through the network: the larger they are, the fewer.
MOST_REFERENCES, MOST_TESTED = 500, 300
LEAST_REFERENCES, LEAST_TESTED = 100, 50
REFERENCE_BYTES, TESTED_BYTES = 15_000_000, 6_000_000


def measure_strangeness(
    model: Any,
    samples: pd.DataFrame,
    pixels: np.ndarray,
    rows: pd.DataFrame,
    training: Recipe,
    evaluation: EvaluationParams,
    machine: MachineParams,
    features: np.ndarray | None = None,
) -> pd.DataFrame:
    """Fit the check for strange images on a fold's training side, and try it on its test side.

    ``features`` are those of a frozen backbone, where there is one: images as they are need not pass it again.

    Returns:
        A row a test image and way of showing it (as it is, inverted, or noise in its stead): its two distances as
        shares of their limits, and whether it was called strange.
    """
    seen = Penultimate(model, pixels, training, machine, features)
    references = _draw(rows, "train", _count_references(pixels), evaluation)
    familiar = _fit(seen, samples, pixels, references, evaluation)
    each = int(np.prod(pixels.shape[1:]))
    tested = _draw(rows, "test", int(np.clip(TESTED_BYTES // each, LEAST_TESTED, MOST_TESTED)), evaluation)
    shown = np.asarray(pixels[tested])
    noise = np.random.default_rng(evaluation.seed).integers(0, 256, shown.shape, dtype=np.uint8)
    tables = []
    for name, images in ((AS_IS, shown), ("inverted", 255 - shown), ("noise", noise)):
        found = seen.read(tested) if name == AS_IS else seen.look(images)
        table = samples.iloc[tested][["sample_id", "patient_id"]].assign(shown=name)
        table["levels"] = (
            measure_distance(describe_levels(images), familiar["levels"]) / familiar["levels"]["limit"]
        )
        table["features"] = measure_distance(found, familiar["features"]) / familiar["features"]["limit"]
        tables.append(table)
    result = pd.concat(tables, ignore_index=True)
    return result.assign(strange=(result["levels"] > 1) | (result["features"] > 1))


def describe_familiar(
    model: Any,
    samples: pd.DataFrame,
    pixels: np.ndarray,
    training: Recipe,
    evaluation: EvaluationParams,
    machine: MachineParams,
    features: np.ndarray | None = None,
) -> dict[str, Any]:
    """Describe what the final model's training images look like, so that it can tell what does not."""
    everything = pd.DataFrame({"row": np.arange(len(samples)), "role": "train"})
    rows = _draw(everything, "train", _count_references(pixels), evaluation)
    return _fit(Penultimate(model, pixels, training, machine, features), samples, pixels, rows, evaluation)


def measure_trust(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams, *strangeness: pd.DataFrame
) -> dict[str, Any]:
    """Fit temperature and threshold on the out-of-fold predictions, and measure what they are worth.

    Returns:
        What ``evaluation.trust.measure_trust`` returns, and ``alarms``: how often the check for strange images is
        raised by held-out images, and by altered ones.
    """
    measured = trust.measure_trust(predictions, question, evaluation)
    alarms = measure_alarms(pd.concat(strangeness, ignore_index=True), evaluation)
    return measured | {"familiar_share": evaluation.familiar_share, "alarms": alarms}


def draw_calibration(record: dict[str, Any], measured: dict[str, Any], question: Question) -> Figure:
    """Draw the reliability of the probabilities before and after calibration."""
    sides = measured["calibration"]
    return figures.draw_calibration(
        sides["before"]["bins"], sides["after"]["bins"], choose_stamp(record), positive=question.positive
    )


def _count_references(pixels: np.ndarray) -> int:
    each = int(np.prod(pixels.shape[1:]))
    return int(np.clip(REFERENCE_BYTES // each, LEAST_REFERENCES, MOST_REFERENCES))


def _fit(
    seen: Penultimate,
    samples: pd.DataFrame,
    pixels: np.ndarray,
    rows: np.ndarray,
    evaluation: EvaluationParams,
) -> dict[str, Any]:
    images = np.asarray(pixels[rows])
    patients, share = samples["patient_id"].to_numpy()[rows], share_each(evaluation.familiar_share)
    return {
        "levels": fit_familiar(describe_levels(images), patients, share, floor_levels(images.shape[-1])),
        "features": fit_familiar(seen.read(rows), patients, share),
    }


def _draw(rows: pd.DataFrame, role: str, most: int, evaluation: EvaluationParams) -> np.ndarray:
    """Return some rows of a side, drawn without replacement and in order."""
    found = np.sort(rows.loc[rows["role"] == role, "row"].to_numpy(dtype=int))
    if len(found) <= most:
        return found
    return np.sort(np.random.default_rng(evaluation.seed).choice(found, most, replace=False))
