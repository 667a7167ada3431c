"""Noticing images that are unlike those that a network was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.evaluation.strangeness import FEATURES, LEVELS, describe_levels, measure_distance
from mammoscan.learning.penultimate import build_extractor, compute_penultimate
from mammoscan.studies import Recipe

STRANGE = "this does not look like what the model was trained on"


class StrangeWatch:
    """Warns of images that lie farther from the training images than nearly all of those do."""

    def __init__(self, network: Any, familiar: Mapping[str, Any], recipe: Recipe) -> None:
        """Take a network and what ``describe_familiar`` found of its training images."""
        self._extractor = build_extractor(network)
        self._familiar = familiar
        self._recipe = recipe

    def warn(self, pixels: NDArray[np.uint8]) -> list[list[str]]:
        """Return a list of warnings for each image, empty or of one sentence.

        Args:
            pixels: uint8 ``[N, H, W, C]``.
        """
        if len(pixels) == 0:
            return []
        features = compute_penultimate(self._extractor, pixels, np.arange(len(pixels)), self._recipe)
        far = {
            LEVELS: measure_distance(describe_levels(pixels), self._familiar["levels"])
            > self._familiar["levels"]["limit"],
            FEATURES: measure_distance(features, self._familiar["features"])
            > self._familiar["features"]["limit"],
        }
        return [
            [f"{STRANGE}: {' and '.join(why)}"]
            if (why := [name for name, found in far.items() if found[row]])
            else []
            for row in range(len(pixels))
        ]
