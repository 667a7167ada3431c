"""A tiny problem that a network learns in a few epochs, and a short way to train on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from mammoscan.models import architectures, backbones
from mammoscan.models.layers import LayerSeeds, build_output_layer
from mammoscan.params import MachineParams, Recipe, ViewParams


class Problem(NamedTuple):
    """Noise, with a bright bar in the images of label 1."""

    pixels: NDArray[np.uint8]
    targets: NDArray[np.int64]
    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


@pytest.fixture(scope="session")
def problem() -> Problem:
    rng = np.random.default_rng(3)
    targets = rng.integers(0, 2, 140)
    pixels = rng.integers(0, 120, (140, 16, 16, 1), dtype=np.uint8)
    pixels[targets == 1, 4:8, 3:12] += 90
    rows = rng.permutation(140)
    return Problem(pixels, targets, rows[:75], rows[75:105], rows[105:])


@pytest.fixture(scope="session")
def train(problem: Problem) -> Callable[..., tuple[Any, dict[str, Any]]]:
    """Train on the problem; keyword arguments go to the recipe or the machine by their names."""
    from mammoscan.training.setup import TrainingData
    from mammoscan.training.train import TrainingOptions, train_network

    def run(training: str = "random", validation: Any = None, **words: Any) -> tuple[Any, dict[str, Any]]:
        recipe = {name: words.pop(name) for name in list(words) if name in Recipe.model_fields}
        machine = {name: words.pop(name) for name in list(words) if name in MachineParams.model_fields}
        data = TrainingData(
            words.pop("pixels", problem.pixels),
            words.pop("targets", problem.targets),
            words.pop("rows", problem.training),
            problem.validation if validation is None else validation,
            words.pop("n_labels", 2),
        )
        return train_network(
            data,
            Recipe(**{"epochs": 3, "batch_size": 16, **recipe}),
            MachineParams(**{"device": "cpu", **machine}),
            ViewParams(training=training),
            TrainingOptions(**words),
        )

    return run


def build_tiny(input_shape: Any, outputs: int, seed: int, policy: str = "float32") -> Any:
    """One convolution and one sigmoid: the smallest network of its kind."""
    import keras
    from keras import layers

    seeds = LayerSeeds(seed)
    return keras.Sequential(
        [
            layers.Input(input_shape, name="image"),
            layers.Conv2D(4, 5, 2, activation="relu", kernel_initializer=seeds.draw_kernel(), name="conv"),
            layers.Flatten(name="flatten"),
            build_output_layer(outputs, seeds, single=True),
        ],
        name="tiny",
    )


def build_tiny_body(image: Any) -> Any:
    import keras
    from keras import layers

    x = layers.Conv2D(6, 5, 2, use_bias=False, name="body_conv")(image)
    x = layers.BatchNormalization(name="body_norm")(x)
    return keras.Model(keras.utils.get_source_inputs(image), layers.ReLU(name="body_relu")(x))


def build_tiny_head(outputs: int, seeds: LayerSeeds, policy: str) -> list[Any]:
    from keras import layers

    return [layers.Dropout(0.1, seed=seeds.draw_seed(), name="dropout"), build_output_layer(outputs, seeds)]


@pytest.fixture(autouse=True)
def tiny_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two networks that take no time: one with a sigmoid, one with a backbone."""
    published = backbones.Published("tiny.h5", "https://example.org/tiny.h5")
    body = backbones.Backbone(build_tiny_body, build_tiny_head, "tf", lambda height, width: published)
    networks = {**architectures._NETWORKS, "tiny": build_tiny, "tiny_body": body}
    monkeypatch.setattr(architectures, "_NETWORKS", networks)
    monkeypatch.setattr(backbones, "MIN_SIDE", 8)
