"""Training a head on features: it learns from standard scores, and afterwards takes features as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.params import MachineParams, Recipe, ViewParams
from mammoscan.records.history import History
from mammoscan.training.setup import TrainingData
from mammoscan.training.train import TrainingOptions, train_network

if TYPE_CHECKING:
    import keras


# What varies by less than this share of its size would be lost in float32 when the head absorbs the spread.
_CONSTANT = 1e-4


class Spread(NamedTuple):
    """Mean and standard deviation of each feature, float32 ``[D]``."""

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]


def train_head(
    data: TrainingData,
    recipe: Recipe,
    machine: MachineParams,
    views: ViewParams,
    options: TrainingOptions | None = None,
) -> tuple[keras.Model, History]:
    """Train the head of a network with a frozen backbone; the arguments are those of ``train_network``.

    Backbones give features of very different sizes, those of one with random weights above all, and no learning rate
    can suit them all: the head is given the standard scores of the training rows.

    Returns:
        The head, which takes features as they are, and its history.
    """
    options = options or TrainingOptions()
    spread = measure_spread(data.pixels, data.training_rows)
    standard = (np.asarray(data.pixels) - spread.mean) / spread.deviation
    fingerprint = (options.fingerprint or {}) | {"features": "standard scores"}
    head, history = train_network(
        replace(data, pixels=standard), recipe, machine, views, replace(options, fingerprint=fingerprint)
    )
    absorb_spread(head, spread)
    return head, history


def measure_spread(features: NDArray[np.float32], rows: NDArray[np.integer]) -> Spread:
    """Measure the features of some rows; a constant one has the deviation 1."""
    seen = np.asarray(features[np.asarray(rows)], np.float64)
    mean, deviation = seen.mean(axis=0), seen.std(axis=0)
    constant = deviation <= _CONSTANT * np.abs(mean)
    return Spread(mean.astype(np.float32), np.where(constant, 1, deviation).astype(np.float32))


def absorb_spread(head: keras.Model, spread: Spread) -> None:
    """Change the first layer of a head that takes standard scores so that it takes features as they are.

    Args:
        head: Features in; its first layer with weights is dense or a batch norm.
        spread: That of the standard scores.
    """
    first = next(layer for layer in head.layers if layer.weights)
    mean, deviation = spread
    kind = type(first).__name__
    if kind == "Dense":
        kernel, bias = first.get_weights()
        kernel = kernel / deviation[:, None]
        # Summed in double precision: means may be many deviations large.
        moved = bias - np.sum(mean[:, None].astype(np.float64) * kernel, axis=0)
        first.set_weights([kernel, moved.astype(np.float32)])
    elif kind == "BatchNormalization":
        gamma, beta, centre, variance = first.get_weights()
        first.set_weights([gamma / deviation, beta, mean + deviation * centre, variance])
    else:
        raise MammoscanError(
            f"head of {head.name}: found a first layer of type {kind}, expected Dense or BatchNormalization; "
            "begin the head with one of them, or set training.freeze to false"
        )
