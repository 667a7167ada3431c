"""Training a network whose output is a number: it learns standard scores, and answers in the number's unit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mammoscan.models.ensemble import list_members
from mammoscan.params import MachineParams, Recipe, ViewParams
from mammoscan.records.history import History
from mammoscan.training.head_training import train_head
from mammoscan.training.setup import TrainingData
from mammoscan.training.train import TrainingOptions, train_network

if TYPE_CHECKING:
    import keras


def train_number_network(
    data: TrainingData,
    recipe: Recipe,
    machine: MachineParams,
    views: ViewParams,
    options: TrainingOptions | None = None,
) -> tuple[keras.Model, History]:
    """Train a network, or the head of one with a frozen backbone; the arguments are those of ``train_network``.

    Mean and standard deviation are those of the training rows alone, and end up in the last layer's weights. So the
    losses of the history are of standard scores: a validation loss of 1 is that of saying the mean to every image.
    """
    targets = np.asarray(data.targets, dtype=np.float64)
    seen = targets[np.asarray(data.training_rows)]
    mean, deviation = float(seen.mean()), float(seen.std()) or 1.0
    train = train_head if data.pixels.ndim == 2 else train_network
    model, history = train(
        replace(data, targets=(targets - mean) / deviation), recipe, machine, views, options
    )
    for member in list_members(model):
        last = member.layers[-1]
        kernel, bias = last.get_weights()
        last.set_weights([kernel * deviation, bias * deviation + mean])
    return model, history
