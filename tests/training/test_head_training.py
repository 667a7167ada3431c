"""A head learns from standard scores, and takes features as they are."""

from __future__ import annotations

import numpy as np
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.inference.backbone_features import compose_model
from mammoscan.models.registry import build_network
from mammoscan.params import MachineParams, Recipe, ViewParams
from mammoscan.training.head_training import absorb_spread, measure_spread, train_head
from mammoscan.training.setup import TrainingData

RNG = np.random.default_rng(0)
# Features of very different sizes, one of them constant, as backbones with drawn weights give them.
FEATURES = (RNG.normal(size=(80, 2048)) * 10.0 ** RNG.uniform(-2, 3, 2048) + 5).astype(np.float32)
FEATURES[:, 7] = 3
MACHINE = MachineParams(device="cpu", deterministic=False)


def test_the_spread_is_that_of_the_rows_and_a_constant_feature_has_none() -> None:
    spread = measure_spread(FEATURES, np.arange(40))
    np.testing.assert_allclose(spread.mean[7], 3)
    assert spread.deviation[7] == 1
    scores = (FEATURES[:40] - spread.mean) / spread.deviation
    np.testing.assert_allclose(np.delete(scores, 7, axis=1).std(axis=0), 1, atol=0.01)


@pytest.mark.parametrize("name", ["densenet201", "resnet50", "mobilenet_v2"])
def test_a_head_that_took_standard_scores_gives_the_same_of_features(name: str) -> None:
    head = build_network(name, (2048,), 2, seed=0)
    for weight in head.weights:
        weight.assign(weight + RNG.uniform(0, 0.1, weight.shape))
    spread = measure_spread(FEATURES, np.arange(80))
    wanted = head((FEATURES - spread.mean) / spread.deviation, training=False)
    absorb_spread(head, spread)
    np.testing.assert_allclose(head(FEATURES, training=False), wanted, atol=5e-3)


def test_a_head_that_begins_otherwise_is_refused() -> None:
    import keras

    head = keras.Sequential([keras.Input((4, 1)), keras.layers.Conv1D(2, 1)])
    with pytest.raises(MammoscanError, match=r"first layer of type Conv1D, expected Dense or Batch"):
        absorb_spread(head, measure_spread(FEATURES[:, :4], np.arange(9)))


@pytest.mark.slow
def test_what_hardly_varies_beside_what_is_large_is_learnt_from() -> None:
    targets = np.arange(80) % 2
    features = (1e3 + RNG.normal(size=(80, 1280))).astype(np.float32)
    features[:, 3] = 1e-3 * (targets + RNG.normal(0, 0.1, 80))
    recipe = Recipe(
        epochs=40,
        network={"name": "mobilenet_v2"},
        freeze=True,
        scale="backbone",
        batch_size=16,
        patience=None,
    )
    still = ViewParams(training="none", prediction=False)
    head, history = train_head(
        TrainingData(features, targets, np.arange(60), np.arange(60, 80), 2), recipe, MACHINE, still
    )
    assert history.epochs[-1].accuracy > 0.9
    found = np.asarray(head(features, training=False)).argmax(axis=1)
    assert np.mean(found[:60] == targets[:60]) > 0.9
    whole = compose_model(head, recipe, (32, 32, 3), 2, MACHINE)
    assert compose_model(head, recipe, (32, 32, 3), 2, MACHINE, onto=whole) is whole
