"""Maps of whole scans against the windows cut one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.imaging.crops import cut_scales, cut_window
from mammoscan.imaging.scan_grid import prepare_scales, prepare_scan
from mammoscan.inference.predict import predict_probabilities
from mammoscan.inference.scan_inference import convolve_network, map_scan
from mammoscan.models.registry import build_network
from mammoscan.params import MachineParams, Recipe, ScanGridParams, ViewParams

RECIPE = Recipe(epochs=1, scale="standard")
MACHINE = MachineParams(device="cpu")


def draw_scan(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def stir(model: Any) -> Any:
    """Give every weight a value that shows, biases and moving means too."""
    rng = np.random.default_rng(1)
    model.set_weights([np.abs(w) * 0.5 + rng.normal(0, 0.2, w.shape) ** 2 for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def small() -> Any:
    from mammoscan.models.registry import build_network

    model = build_network("small_cnn", (24, 24, 1), 2, seed=3)
    rng = np.random.default_rng(1)
    model.set_weights([w + rng.normal(0, 0.03, w.shape) for w in model.get_weights()])
    return model


def chain(size: int, *layers: Any) -> Any:
    import keras

    return keras.Sequential([keras.Input((size, size, 1)), *layers])


def make_pooled() -> Any:
    """With a batch normalisation, one sigmoid, an odd window and a last column that its poolings drop."""
    from keras import layers

    return chain(
        13,
        layers.Conv2D(4, 3, dilation_rate=2),
        layers.BatchNormalization(),
        layers.MaxPooling2D(2),
        layers.Conv2D(4, 2, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    )


def make_strided() -> Any:
    from keras import layers

    return chain(
        13,
        layers.Conv2D(4, 3, strides=2, activation="relu"),
        layers.AveragePooling2D(3, 2),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(5, activation="relu"),
        layers.BatchNormalization(),
        layers.Dense(2),
        layers.Softmax(),
    )


@pytest.mark.slow
def test_the_article_network_reads_a_whole_scan_as_it_reads_windows(small: Any) -> None:
    grid = draw_scan(64, 56)
    mask = np.zeros(grid.shape, bool)
    mask[5:, 30:] = True
    for stride in (4, 8, 12):
        for eight in (False, True):
            words: Any = {"recipe": RECIPE, "views": ViewParams(prediction=eight), "machine": MACHINE}
            whole = map_scan(small, grid, mask, stride, **words)
            windows = map_scan(small, grid, mask, stride, convolve=False, **words)
            np.testing.assert_allclose(whole.probabilities, windows.probabilities, atol=1e-4)
            assert np.nanstd(whole.probabilities[..., 1]) > 0.005
    assert convolve_network(small, 8) is not None


def test_a_place_of_the_map_is_the_window_around_it_black_beyond_the_border(small: Any) -> None:
    grid, full = draw_scan(64, 56), np.ones((64, 56), bool)
    found = map_scan(small, grid, full, 8, recipe=RECIPE, views=ViewParams(prediction=True), machine=MACHINE)
    assert found.rows.tolist() == list(range(0, 65, 8))
    assert found.columns.tolist() == list(range(0, 57, 8))
    for i, j in ((0, 0), (4, 3), (8, 2), (0, 7)):
        window = cut_window(grid, found.rows[i], found.columns[j], 24)[None, ..., None]
        views = ViewParams(prediction=True)
        [said] = predict_probabilities(
            small, window, np.arange(1), recipe=RECIPE, views=views, machine=MACHINE
        )
        np.testing.assert_allclose(found.probabilities[i, j], said, atol=1e-4)


def test_places_outside_the_breast_are_left_out(small: Any) -> None:
    grid, mask = draw_scan(64, 56), np.zeros((64, 56), bool)
    empty = map_scan(small, grid, mask, 8, recipe=RECIPE, views=ViewParams(prediction=False))
    assert empty.probabilities.shape == (9, 8, 2)
    assert np.isnan(empty.probabilities).all()
    mask[10:40, 20:56] = True
    found = map_scan(small, grid, mask, 8, recipe=RECIPE, views=ViewParams(prediction=False))
    inside = ~np.isnan(found.probabilities[..., 0])
    assert np.flatnonzero(inside.any(axis=1)).tolist() == [2, 3, 4]
    # The place at the far border belongs to the last column of pixels.
    assert np.flatnonzero(inside.any(axis=0)).tolist() == [3, 4, 5, 6, 7]
    np.testing.assert_allclose(found.probabilities[inside].sum(axis=1), 1, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("make", [make_pooled, make_strided])
def test_other_chains_without_padding_are_read_exactly_too(make: Callable[[], Any]) -> None:
    model = stir(make())
    grid, mask = draw_scan(40, 31), np.ones((40, 31), bool)
    for stride in (4, 8):
        assert convolve_network(model, stride) is not None
        whole = map_scan(model, grid, mask, stride, recipe=RECIPE, views=ViewParams(prediction=True))
        windows = map_scan(
            model, grid, mask, stride, recipe=RECIPE, views=ViewParams(prediction=True), convolve=False
        )
        np.testing.assert_allclose(whole.probabilities, windows.probabilities, atol=1e-4)
        assert np.nanstd(whole.probabilities[..., 1]) > 1e-3


def test_networks_that_cannot_be_read_whole_are_asked_window_by_window(small: Any) -> None:
    import keras
    from keras import layers

    padded = chain(12, layers.Conv2D(2, 3, padding="same"), layers.Flatten(), layers.Dense(2, "softmax"))
    uneven = chain(12, layers.Conv2D(2, (3, 1)), layers.Flatten(), layers.Dense(2, "softmax"))
    normalised = chain(
        12, layers.Conv2D(2, 3), layers.Flatten(), layers.BatchNormalization(), layers.Dense(2, "softmax")
    )
    functional = keras.Model(padded.inputs, padded.outputs)
    for model in (padded, uneven, normalised, functional):
        assert convolve_network(model, 4) is None
    assert convolve_network(small, 6) is None
    grid, mask = draw_scan(24, 24), np.ones((24, 24), bool)
    found = map_scan(padded, grid, mask, 6, recipe=RECIPE, views=ViewParams(prediction=False))
    window = cut_window(grid, 6, 12, 12)[None, ..., None]
    [said] = predict_probabilities(
        padded, window, np.arange(1), recipe=RECIPE, views=ViewParams(prediction=False), machine=MACHINE
    )
    np.testing.assert_allclose(found.probabilities[1, 2], said, atol=1e-6)


def test_windows_of_several_scales_are_those_that_training_cuts() -> None:
    rng = np.random.default_rng(0)
    scan = rng.integers(0, 256, (1024, 1024), dtype=np.uint8)
    grid, _ = prepare_scan(scan, ScanGridParams())
    mask = np.ones(grid.shape, bool)
    others = prepare_scales(scan, mask, (0.5, 2))
    assert [len(one) for one in others] == [384, 96]
    model = build_network("small_cnn", (48, 48, 3), 2, seed=1)
    views = ViewParams(prediction=True)
    found = map_scan(model, grid, mask, 32, recipe=RECIPE, views=views, machine=MACHINE, others=others)
    row, column = found.rows[2], found.columns[3]
    side = 1024 / 192
    [window] = cut_scales([grid, *others], row * side, column * side, 48, 1024)
    [wanted] = predict_probabilities(
        model, window[None], np.arange(1), recipe=RECIPE, views=views, machine=MACHINE
    )
    np.testing.assert_allclose(found.probabilities[2, 3], wanted, atol=1e-5)


def test_a_scale_that_makes_no_whole_grid_is_refused() -> None:
    with pytest.raises(MammoscanError, match=r"crop\.scales: 0\.7 makes a grid of 274\.286 pixels"):
        prepare_scales(np.zeros((1024, 1024), np.uint8), np.ones((192, 192), bool), (0.7,))
