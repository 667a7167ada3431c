from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from jax_trainings import SAME

from mammoscan.errors import MammoscanError
from mammoscan.inference.predict import predict_probabilities
from mammoscan.models import build_network
from mammoscan.params import MachineParams, Recipe, ViewParams
from mammoscan.training.devices import choose_device
from mammoscan.training.engines import compiled

needs_jax = pytest.mark.skipif(find_spec("jax") is None, reason="the extra jax is not installed")


@pytest.fixture(scope="module")
def trained(problem: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[Any]], Any]:
    """Tells what came of training with JAX, from given weights; run once."""
    folder = tmp_path_factory.mktemp("jax")
    done: list[Any] = []

    def run(first: list[Any]) -> Any:
        if not done:
            np.savez(
                folder / "given.npz",
                **problem._asdict(),
                **{f"first_{i}": value for i, value in enumerate(first)},
            )
            script = Path(__file__).with_name("jax_trainings.py")
            environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
            ended = subprocess.run(
                [sys.executable, str(script), str(folder)], env=environment, capture_output=True, text=True
            )
            assert ended.returncode == 0, ended.stderr
            with np.load(folder / "found.npz") as file:
                done.append((dict(file), json.loads((folder / "notes.json").read_text())))
        return done[0]

    return run


@pytest.fixture
def fresh() -> list[Any]:
    return build_network("tiny_body", (16, 16, 1), 2, seed=0).get_weights()


def pick(found: dict[str, Any], name: str) -> list[Any]:
    return [found[f"{name}_{i}"] for i in range(sum(key.startswith(f"{name}_") for key in found))]


@needs_jax
class TestJax:
    @pytest.mark.slow
    def test_it_never_imports_tensorflow(self, trained: Any, fresh: list[Any]) -> None:
        _, notes = trained(fresh)
        assert notes["asked_in_training"] == 0
        assert notes["tensorflow"] is False
        assert notes["stepped"]["engine"] == notes["stepped"]["device"]["backend"] == "jax"

    @pytest.mark.slow
    @pytest.mark.skipif(os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow", reason="compares both")
    def test_it_learns_and_answers_what_tensorflow_does(
        self, train: Any, trained: Any, fresh: list[Any], problem: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import keras

        found, notes = trained(fresh)
        monkeypatch.setattr(keras.layers.Dropout, "call", lambda self, inputs, training=False: inputs)
        monkeypatch.setattr(compiled, "_idle", {})
        model, history = train(**SAME)
        assert history.engine == "tensorflow"
        for mine, theirs in zip(pick(found, "stepped"), model.get_weights(), strict=True):
            np.testing.assert_allclose(mine, theirs, atol=2e-5)
        for mine, theirs in zip(notes["stepped"]["epochs"], history.epochs, strict=True):
            assert {**mine, "seconds": 0} == pytest.approx({**theirs.model_dump(), "seconds": 0}, abs=1e-4)
        probabilities = predict_probabilities(
            model,
            problem.pixels,
            problem.test,
            recipe=Recipe(**{**SAME, "prediction_draws": 2}),
            views=ViewParams(prediction=True),
            machine=MachineParams(device="cpu"),
        )
        np.testing.assert_allclose(found["probabilities"], probabilities, atol=1e-4)

    def test_the_scan_of_a_gpu_learns_what_single_steps_do(self, trained: Any, fresh: list[Any]) -> None:
        found, _ = trained(fresh)
        for scanned, stepped, first in zip(
            pick(found, "scanned"), pick(found, "stepped"), fresh, strict=True
        ):
            np.testing.assert_allclose(scanned, stepped, atol=1e-5)
            assert not np.array_equal(stepped, first)

    def test_a_killed_training_resumes_to_equal_bits(self, trained: Any, fresh: list[Any]) -> None:
        found, notes = trained(fresh)
        assert notes["resumed_after"] == 3
        for whole, resumed in zip(pick(found, "whole"), pick(found, "resumed"), strict=True):
            np.testing.assert_array_equal(whole, resumed)

    def test_a_loss_that_is_not_finite_is_named_by_its_batch(self, trained: Any, fresh: list[Any]) -> None:
        _, notes = trained(fresh)
        assert "in epoch 1, batch" in notes["broken"]

    def test_a_gpu_that_is_not_there_is_an_error(self, trained: Any, fresh: list[Any]) -> None:
        _, notes = trained(fresh)
        assert "gpu was asked for, but jax found only the CPU" in notes["no_gpu"]
        assert "jax[cuda13]" in notes["no_gpu"]

    def test_a_gpu_is_taken_with_its_name_and_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import jax
        import keras

        card = SimpleNamespace(
            platform="gpu", device_kind="card", memory_stats=lambda: {"bytes_limit": 24 * 1024**3}
        )
        monkeypatch.setattr(keras.config, "backend", lambda: "jax")
        monkeypatch.setattr(jax, "devices", lambda: [card])
        device = choose_device(MachineParams(device="gpu"))
        assert (device.kind, device.name, device.place) == ("gpu", "card", "gpu:0")
        assert device.memory_gb == 24


def test_a_backend_that_is_not_installed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(MammoscanError, match=r"KERAS_BACKEND: found 'jax', but there is no module"):
        choose_device(MachineParams())
