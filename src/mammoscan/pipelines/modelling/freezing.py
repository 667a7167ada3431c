from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mammoscan.datasets import ArrayStream
from mammoscan.errors import MammoscanError
from mammoscan.learning import features as frozen
from mammoscan.progress import show_progress
from mammoscan.studies import MachineParams, Question, Recipe, ViewParams


def compute_features(
    pixels: np.ndarray, training: Recipe, views: ViewParams, machine: MachineParams
) -> ArrayStream | np.ndarray:
    """Compute once what a frozen backbone makes of every image.

    Returns:
        ``features``, ``[N, D]``; without columns where the recipe's backbone learns too.
    """
    if not training.freeze:
        return np.empty((len(pixels), 0), np.float32)
    frozen.check_features(training, views)

    count, blocks = frozen.compute_features(pixels, training, machine)

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
    history: dict[str, Any], seen: np.ndarray, pixels: np.ndarray, training: Recipe, machine: MachineParams
) -> dict[str, Any]:
    """Return the history of a training with the parameters of the whole network, also where a head was trained."""
    if seen is pixels:
        return history
    below = frozen.count_backbone(training, pixels.shape[1:], machine)
    return history | {"parameters": below + history["parameters"]}


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
