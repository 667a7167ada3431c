from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mammoscan.imaging.views import make_views
from mammoscan.inference import forward_pass
from mammoscan.inference.predict import predict_probabilities
from mammoscan.models import build_network
from mammoscan.models.preprocessing import scale_pixels
from mammoscan.params import MachineParams, Recipe, ViewParams

CPU = MachineParams(device="cpu")


def ask(
    model: Any, problem: Any, rows: Any, *, eight: bool = False, scale: str = "unit", **words: Any
) -> Any:
    recipe = Recipe(epochs=1, scale=scale)  # type: ignore[arg-type]
    views = ViewParams(prediction=eight)
    return predict_probabilities(
        model, problem.pixels, rows, recipe=recipe, views=views, machine=CPU, **words
    )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("scale", ["unit", "standard"])
def test_probabilities_are_those_of_keras_predict(problem: Any, scale: Any, precision: str) -> None:
    model = build_network("small_cnn", (16, 16, 1), 3, seed=1, precision=precision)
    found = ask(model, problem, problem.test, scale=scale, batch_size=10)
    plain = model.predict(scale_pixels(problem.pixels[problem.test], scale), verbose=0)
    assert found.dtype == np.float32
    # One unit in bfloat16's last place may tip over where batches are of another size.
    np.testing.assert_allclose(found, plain, atol=1e-6 if precision == "float32" else 2e-3)


def test_eight_views_are_averaged(problem: Any) -> None:
    model = build_network("small_cnn", (16, 16, 1), 2, seed=2)
    rows = problem.test[:9]
    shown = scale_pixels(make_views(problem.pixels[rows]), "unit")
    plain = np.mean([model.predict(shown[:, k], verbose=0) for k in range(8)], axis=0)
    np.testing.assert_allclose(ask(model, problem, rows, eight=True, batch_size=4), plain, atol=1e-6)


def test_networks_of_one_shape_share_a_compiled_function_but_not_their_weights(
    problem: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward_pass, "_compiled", {})
    first, second = (build_network("small_cnn", (16, 16, 1), 2, seed) for seed in (1, 2))
    found = [ask(model, problem, problem.test) for model in (first, second, first)]
    assert len(forward_pass._compiled) == 1
    assert np.array_equal(found[0], found[2])
    assert not np.allclose(found[0], found[1])


def test_only_some_compiled_functions_are_kept(problem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward_pass, "_compiled", {})
    monkeypatch.setattr(forward_pass, "_KEPT", 1)
    for outputs in (2, 3):
        ask(build_network("small_cnn", (16, 16, 1), outputs, 0), problem, problem.test[:2])
    assert len(forward_pass._compiled) == 1


def test_a_reloaded_model_gives_the_same_probabilities(problem: Any, tmp_path: Any) -> None:
    import keras

    model = build_network("small_cnn", (16, 16, 1), 2, seed=3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    assert np.array_equal(ask(model, problem, problem.test), ask(loaded, problem, problem.test))


def test_no_rows_give_an_empty_table(problem: Any) -> None:
    model = build_network("small_cnn", (16, 16, 1), 2, seed=3)
    assert ask(model, problem, np.empty(0, int)).shape == (0, 2)


def test_another_backend_asks_keras_itself(problem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    model = build_network("small_cnn", (16, 16, 1), 2, seed=3)
    compiled = [ask(model, problem, problem.test, eight=eight) for eight in (False, True)]
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    for eight, wanted in zip((False, True), compiled, strict=True):
        np.testing.assert_allclose(ask(model, problem, problem.test, eight=eight), wanted, atol=1e-6)
