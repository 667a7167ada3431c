"""An ensemble is one network to whoever predicts, explains, saves or exports it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import logit, softmax

from mammoscan.inference.embeddings import build_extractor
from mammoscan.inference.forward_pass import describe_architecture
from mammoscan.inference.gradcam import explain_images
from mammoscan.inference.predict import predict_probabilities
from mammoscan.inference.scan_inference import convolve_network
from mammoscan.models.ensemble import combine_members, list_members
from mammoscan.models.preprocessing import choose_scale
from mammoscan.models.registry import build_network
from mammoscan.params import MachineParams, Recipe, ViewParams
from mammoscan.training.train import SEED_STEP
from tiny_trainings import Problem

RECIPE = Recipe(epochs=2, batch_size=16, ensemble=2)
MACHINE = MachineParams(device="cpu")


@pytest.fixture(scope="module")
def ensemble(train: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Path]:
    file = tmp_path_factory.mktemp("ensemble") / "training.ckpt"
    return (*train(epochs=2, ensemble=2, checkpoint=file), file)


def predict(model: Any, problem: Problem) -> np.ndarray:
    return predict_probabilities(
        model,
        problem.pixels,
        problem.test,
        recipe=RECIPE,
        views=ViewParams(prediction=False),
        machine=MACHINE,
    )


def test_its_logits_are_the_mean_of_those_of_networks_trained_alone(
    ensemble: tuple[Any, Any, Path], train: Callable[..., Any], problem: Problem
) -> None:
    alone = [train(epochs=2, seed=seed)[0] for seed in (0, SEED_STEP)]
    logits = np.mean([np.log(predict(model, problem)) for model in alone], axis=0)
    np.testing.assert_allclose(predict(ensemble[0], problem), softmax(logits, axis=1), atol=1e-6)
    assert np.abs(predict(alone[0], problem) - predict(alone[1], problem)).max() > 1e-3


def test_its_history_tells_of_all_networks(ensemble: tuple[Any, Any, Path]) -> None:
    model, history, file = ensemble
    assert len(history.others) == 1
    assert history.parameters == model.count_params() == 2 * history.others[0].parameters
    assert history.epochs[0].loss != history.others[0].epochs[0].loss
    assert {found.name for found in file.parent.iterdir()} >= {"training.ckpt", "training_1.ckpt"}


def test_a_resumed_ensemble_trains_no_network_again(
    ensemble: tuple[Any, Any, Path], train: Callable[..., Any], problem: Problem
) -> None:
    model, _, file = ensemble
    seen: list[Any] = []
    again, history = train(epochs=2, ensemble=2, checkpoint=file, resume=True, on_epoch=seen.append)
    assert not seen
    assert history.others[0].resumed_after == 2
    np.testing.assert_array_equal(predict(again, problem), predict(model, problem))


def test_it_is_saved_and_loaded_without_code_of_its_own(
    ensemble: tuple[Any, Any, Path], tmp_path: Path, problem: Problem
) -> None:
    ensemble[0].save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert len(list_members(loaded)) == 2
    np.testing.assert_array_equal(predict(loaded, problem), predict(ensemble[0], problem))


def test_ensembles_of_one_architecture_share_their_compiled_functions() -> None:
    members = [build_network("small_cnn", (24, 24, 1), 2, seed) for seed in range(4)]
    first, second = combine_members(members[:2]), combine_members(members[2:])
    assert describe_architecture(first) == describe_architecture(second)


def test_embeddings_are_those_of_all_networks(ensemble: tuple[Any, Any, Path], problem: Problem) -> None:
    images = problem.pixels[:5].astype("float32") / 255
    parts = [build_extractor(member)(images) for member in list_members(ensemble[0])]
    whole = np.asarray(build_extractor(ensemble[0])(images))
    np.testing.assert_allclose(whole, np.concatenate([np.asarray(p).reshape(5, -1) for p in parts], axis=1))


@pytest.mark.parametrize("method", ["gradcam", "occlusion"])
def test_it_is_explained_as_a_whole(ensemble: tuple[Any, Any, Path], problem: Problem, method: Any) -> None:
    heats = explain_images(
        ensemble[0], problem.pixels[:2], [1, 1], scale=choose_scale(RECIPE), views=False, method=method
    )
    assert heats.shape == (2, 16, 16)
    assert heats.max() == 1


def test_a_scan_is_read_window_by_window(ensemble: tuple[Any, Any, Path]) -> None:
    assert convolve_network(ensemble[0], 8) is None


def test_networks_with_one_output_are_combined_by_their_log_odds() -> None:
    members = [build_network("chest_cnn", (96, 96, 1), 2, seed) for seed in (0, 1)]
    images = np.random.default_rng(0).random((4, 96, 96, 1), np.float32)
    expected = np.mean([logit(np.asarray(member(images))) for member in members], axis=0)
    found = np.asarray(combine_members(members)(images))
    assert found.shape == (4, 1)
    np.testing.assert_allclose(logit(found), expected, atol=1e-4)


def test_heads_on_frozen_features_are_not_combined() -> None:
    with pytest.raises(ValidationError, match="set freeze to false or ensemble to 1"):
        Recipe(epochs=1, freeze=True, ensemble=3)
