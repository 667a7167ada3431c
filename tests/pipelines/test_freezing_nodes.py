"""A frozen backbone in the graph, and what the final model takes over from the folds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from histories import make_epoch, make_history
from mammoscan.datasets import ArrayDataset
from mammoscan.errors import MammoscanError
from mammoscan.params import (
    BalanceParams,
    EvaluationParams,
    MachineParams,
    Question,
    Recipe,
    SplitParams,
    ViewParams,
)
from mammoscan.pipelines.modelling import nodes
from mammoscan.pipelines.modelling.pipeline import create_pipeline
from mammoscan.pipelines.trust import nodes as trust
from mammoscan.records.history import Histories
from mammoscan.studies import Study

STILL = ViewParams(training="none", prediction=False)
MACHINE = MachineParams(device="cpu")
# All 60 samples have a part in the one fold.
FOLDS = pd.DataFrame({"sample_id": "x", "row": range(60), "fold_0": "train"})
FROZEN = Recipe(epochs=2, network={"name": "mobilenet_v2"}, freeze=True, scale="backbone", batch_size=16)


@pytest.fixture
def pixels(samples: pd.DataFrame) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (len(samples), 32, 32, 3), dtype=np.uint8)


def test_features_are_computed_once_folds_keep_heads_and_the_final_model_is_whole(
    samples: pd.DataFrame, pixels: np.ndarray, question: Question, tmp_path: Path
) -> None:
    dataset = ArrayDataset(filepath=str(tmp_path / "features.npy"))
    dataset.save(nodes.compute_features(pixels, FOLDS, FROZEN, STILL, MACHINE))
    features = dataset.load()
    assert features.shape == (60, 1280)
    split = SplitParams(folds=5)
    folds = nodes.divide_samples(samples, split)
    rows = nodes.split_folds(folds)["fold_0_rows"]
    model, history = nodes.train_fold(
        samples, pixels, rows, question, FROZEN, STILL, split, MACHINE, tmp_path / "mias", features
    )
    assert model.input_shape == (None, 1280)
    more = (samples, pixels, rows, question, FROZEN, STILL, MACHINE)
    quick = nodes.predict_fold(model, *more, features)
    complete = nodes.complete_model(model, pixels, question, FROZEN, MACHINE)
    slow = nodes.predict_fold(complete, *more)
    np.testing.assert_allclose(quick["p_malignant"], slow["p_malignant"], atol=1e-4)
    final, _ = nodes.train_final(
        samples,
        pixels,
        folds,
        question,
        FROZEN,
        STILL,
        BalanceParams(),
        MACHINE,
        tmp_path / "mias",
        Histories(folds=[history]),
        features,
    )
    assert final.input_shape == (None, 32, 32, 3)
    assert history.parameters == final.count_params() > 2_000_000
    np.testing.assert_array_equal(final.get_weights()[0], complete.get_weights()[0])

    evaluation = EvaluationParams(resamples=50, metadata_columns=())
    at_hand, anew = (
        trust.fit_out_of_distribution(final, samples, pixels, folds, FROZEN, evaluation, MACHINE, known)
        for known in (features, None)
    )
    np.testing.assert_allclose(at_hand["features"]["mean"], anew["features"]["mean"], rtol=1e-2, atol=1e-4)
    flagged, slowly = (
        trust.measure_out_of_distribution(asked, samples, pixels, rows, FROZEN, evaluation, MACHINE, known)
        for asked, known in ((model, features), (complete, None))
    )
    np.testing.assert_allclose(flagged["features"], slowly["features"], rtol=2e-2)


def test_without_freeze_there_are_no_features_and_images_are_seen(pixels: np.ndarray) -> None:
    recipe = Recipe(epochs=1)
    features = nodes.compute_features(pixels, FOLDS, recipe, ViewParams(), MACHINE)
    assert isinstance(features, np.ndarray)
    assert features.shape == (60, 0)
    assert nodes.choose_input(pixels, features, recipe, ViewParams()) is pixels
    assert nodes.choose_input(pixels, None, FROZEN, ViewParams()) is pixels


def test_features_of_another_recipe_or_with_views_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(
        MammoscanError, match=r"found 0 of 60 images.*run again from the node compute_features"
    ):
        nodes.choose_input(pixels, np.empty((60, 0), np.float32), FROZEN, STILL)
    with pytest.raises(MammoscanError, match=r"views.training is 'random'"):
        nodes.compute_features(pixels, FOLDS, FROZEN, ViewParams(), MACHINE)


def test_the_final_model_follows_the_rates_of_the_fold_with_the_median_epoch(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    question: Question,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: dict[str, Any] = {}

    def train(*given: Any) -> tuple[str, dict[str, Any]]:
        kept.update(vars(given[-1]))
        return "model", {}

    monkeypatch.setattr(nodes, "train_network", train)
    histories = [
        make_history([make_epoch(epoch + 1, learning_rate=best / 10**epoch) for epoch in range(5)], best)
        for best in (1, 3, 4)
    ]
    folds = nodes.divide_samples(samples, SplitParams(folds=3))
    for plateau, rates in (({"patience": 1, "factor": 0.1}, [3, 0.3, 0.03]), (None, None)):
        nodes.train_final(
            samples,
            pixels,
            folds,
            question,
            Recipe(epochs=5, plateau=plateau),
            STILL,
            BalanceParams(),
            MACHINE,
            tmp_path / "mias",
            Histories(folds=histories),
        )
        assert kept["epochs"] == 3
        assert kept["rates"] == (rates if rates is None else pytest.approx(rates))


@pytest.mark.parametrize("features", [True, False])
@pytest.mark.parametrize("protocol", ["patient", "author"])
def test_the_graph_has_a_place_for_features_where_the_study_says_so(features: bool, protocol: Any) -> None:
    graph = create_pipeline(Study("tried", "tried", protocol, 2, features))
    names = {node.name for node in graph.nodes if "tried.features" in node.inputs}
    users = {"folds.fold_0.train_fold", "folds.fold_0.predict_fold", "folds.fold_1.train_fold"}
    users |= {"folds.fold_1.predict_fold", "train_final"}
    # Where no final model is trained, a fold's is the one that is handed on, and must be whole.
    wanted = features and protocol == "patient"
    assert names == (users if wanted else set())
    assert ("compute_features" in {node.name for node in graph.nodes}) == wanted
