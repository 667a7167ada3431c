"""The node that explains what went wrong."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.figures.wrong_gallery import MOST_SHOWN, find_wrong
from mammoscan.learning.explaining import explain_images
from mammoscan.learning.features import compose_model, is_head
from mammoscan.learning.scaling import choose_scale
from mammoscan.studies import EvaluationParams, MachineParams, Question, Recipe, ViewParams

logger = logging.getLogger("mammoscan")


def explain_errors(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    predictions: pd.DataFrame,
    question: Question,
    evaluation: EvaluationParams,
    training: Recipe,
    views: ViewParams,
    *models: Any,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Explain the wrong predictions that the report shows, each by the fold's model that made it.

    Returns:
        ``sample_id``, ``fold`` and ``said`` of each, and uint8 ``[error, row, column]``: 255 where most speaks for
        what was said. Both without rows where the network cannot be explained.
    """
    wrong = find_wrong(predictions[predictions["model"] == "cnn"], question, evaluation.cut).head(MOST_SHOWN)
    explained = wrong[["sample_id", "fold", "said"]].reset_index(drop=True)
    positions = pd.Series(range(len(samples)), index=samples["sample_id"].astype(str))
    heats = np.zeros((len(explained), *pixels.shape[1:3]), np.uint8)
    whole = None
    for fold in sorted(set(explained["fold"].astype(int))):
        rows = explained[explained["fold"] == fold]
        images = np.asarray(pixels[positions[rows["sample_id"].astype(str)].to_numpy()])
        said = [question.labels.index(label) for label in rows["said"]]
        model = models[fold]
        if is_head(model):
            model = whole = compose_model(
                model, training, pixels.shape[1:], len(question.labels), MachineParams(), onto=whole
            )
        try:
            found = explain_images(model, images, said, scale=choose_scale(training), views=views.prediction)
        except MammoscanError as error:
            logger.warning("the wrong predictions stay unexplained: %s", error)
            return explained.iloc[:0], heats[:0]
        heats[rows.index.to_numpy()] = np.rint(255 * found)
    return explained, heats
