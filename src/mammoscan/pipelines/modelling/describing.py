from __future__ import annotations

from typing import Any

import numpy as np

from mammoscan.networks.describe import describe_network, summarise_network
from mammoscan.networks.registry import build_network
from mammoscan.studies import Question, Recipe


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
