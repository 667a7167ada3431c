"""Explanations against pictures whose reason is known: one bright lesion, planted at a random place."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage, stats

from mammoscan.errors import MammoscanError
from mammoscan.imaging.views import make_view
from mammoscan.inference import gradcam
from mammoscan.inference.gradcam import (
    explain_gradcam,
    explain_images,
    explain_occlusion,
    find_last_convolution,
)
from mammoscan.models.preprocessing import scale_pixels
from mammoscan.params import MachineParams, Recipe, ViewParams

SIZE, WIDTH = 32, 3


class Lesions(NamedTuple):
    """Tissue-like noise; the images of label 1 have a lesion at ``rows``, ``columns``."""

    pixels: NDArray[np.uint8]
    targets: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


def plant_lesions(count: int, seed: int) -> Lesions:
    rng = np.random.default_rng(seed)
    tissue = ndimage.gaussian_filter(rng.normal(size=(count, SIZE, SIZE)), (0, 3, 3))
    images = 128 + 20 * tissue / tissue.std() + 6 * rng.normal(size=tissue.shape)
    targets = np.arange(count) % 2
    rows, columns = rng.integers(7, SIZE - 7, (2, count))
    row, column = np.mgrid[:SIZE, :SIZE]
    for image, target, at_row, at_column in zip(images, targets, rows, columns, strict=True):
        image += 100 * target * np.exp(-((row - at_row) ** 2 + (column - at_column) ** 2) / (2 * WIDTH**2))
    return Lesions(np.clip(images, 0, 255).astype(np.uint8)[..., None], targets, rows, columns)


@pytest.fixture(scope="module")
def unseen() -> Lesions:
    lesions = plant_lesions(40, seed=1)
    return Lesions(*(part[lesions.targets == 1] for part in lesions))


@pytest.fixture(scope="module")
def finder() -> Any:
    """The article's network, trained for seconds to tell images with a lesion from those without."""
    from mammoscan.training.setup import TrainingData
    from mammoscan.training.train import train_network

    lesions = plant_lesions(240, seed=0)
    model, _ = train_network(
        TrainingData(lesions.pixels, lesions.targets, np.arange(200), np.arange(200, 240), 2),
        recipe=Recipe(epochs=8, batch_size=16, learning_rate=0.002, scale="standard"),
        machine=MachineParams(device="cpu"),
        views=ViewParams(training="none"),
    )
    return model


@pytest.fixture(scope="module")
def scaled(unseen: Lesions) -> NDArray[np.float32]:
    return scale_pixels(unseen.pixels, "standard")


def measure_misses(maps: NDArray[np.float32], lesions: Lesions) -> NDArray[np.floating]:
    """Pixels from each map's peak to the lesion."""
    peaks = np.array([np.unravel_index(one.argmax(), one.shape) for one in maps])
    return np.hypot(peaks[:, 0] - lesions.rows, peaks[:, 1] - lesions.columns)


@pytest.mark.parametrize("views", [False, True])
def test_the_peak_lies_on_the_planted_lesion(finder: Any, unseen: Lesions, views: bool) -> None:
    ones = np.ones(len(unseen.pixels), int)
    maps = explain_images(finder, unseen.pixels, ones, scale="standard", views=views)
    assert maps.shape == unseen.pixels.shape[:3]
    assert maps.min() >= 0
    assert maps.max() == 1
    misses = measure_misses(maps, unseen)
    assert np.median(misses) <= WIDTH
    assert (misses <= 2 * WIDTH).mean() >= 0.9


def test_covering_the_planted_lesion_costs_most(finder: Any, unseen: Lesions, scaled: Any) -> None:
    maps = np.stack([explain_occlusion(finder, scaled[[i]], 1, patch=8, stride=4) for i in range(12)])
    misses = measure_misses(maps, Lesions(*(part[:12] for part in unseen)))
    assert np.median(misses) <= WIDTH


def test_many_images_are_explained_by_occlusion_where_it_is_chosen(finder: Any, unseen: Lesions) -> None:
    ones = np.ones(8, int)
    maps = explain_images(finder, unseen.pixels[:8], ones, scale="standard", views=False, method="occlusion")
    assert (maps.min(), maps.max()) == (0, 1)
    assert np.median(measure_misses(maps, Lesions(*(part[:8] for part in unseen)))) <= WIDTH


def test_a_batch_holds_fewer_images_of_a_network_with_large_maps(finder: Any, monkeypatch: Any) -> None:
    assert gradcam._choose_batch(finder) == 32
    maps = sum(int(np.prod(layer.output.shape[1:])) for layer in finder.layers)
    maps += int(np.prod(finder.input_shape[1:]))  # the images themselves
    monkeypatch.setattr(gradcam, "_BATCH_BYTES", 4 * maps * 5)
    assert gradcam._choose_batch(finder) == 5
    monkeypatch.setattr(gradcam, "_BATCH_BYTES", 1)
    assert gradcam._choose_batch(finder) == 1


def test_other_weights_give_another_map(finder: Any, unseen: Lesions) -> None:
    """Adebayo et al. 2018: what stays the same without what was learnt explains nothing."""
    from mammoscan.models.registry import build_network

    untrained = build_network("small_cnn", finder.input_shape[1:], 2, seed=5)
    ones = np.ones(len(unseen.pixels), int)
    learnt, random = (
        explain_images(model, unseen.pixels, ones, scale="standard", views=False)
        for model in (finder, untrained)
    )
    alike = [stats.spearmanr(a.ravel(), b.ravel())[0] for a, b in zip(learnt, random, strict=True)]
    assert np.nanmean(alike) < 0.4
    assert np.median(measure_misses(random, unseen)) > 2 * WIDTH


def test_a_turned_image_gives_the_turned_map_where_views_are_averaged(finder: Any, unseen: Lesions) -> None:
    image = unseen.pixels[0]
    plain, turned = explain_images(
        finder, np.stack([image, make_view(image, 5)]), [1, 1], scale="standard", views=True
    )
    np.testing.assert_allclose(make_view(plain, 5), turned, atol=1e-4)


def test_one_sigmoid_is_explained_as_the_softmax_of_two_that_says_the_same(
    finder: Any, scaled: NDArray[np.float32]
) -> None:
    import keras

    *body, head = finder.layers
    kernel, bias = head.get_weights()
    dense = keras.layers.Dense(1, activation="sigmoid", name="probability")
    single = keras.Sequential([keras.Input(finder.input_shape[1:]), *body, dense])
    dense.set_weights([kernel[:, 1:] - kernel[:, :1], bias[1:] - bias[:1]])
    for label in (0, 1):
        for explain in (explain_gradcam, explain_occlusion):
            one, two = explain(single, scaled[:1], label), explain(finder, scaled[:1], label)
            np.testing.assert_allclose(one, two, atol=1e-4)


def test_labels_have_explanations_of_their_own(finder: Any, scaled: NDArray[np.float32]) -> None:
    first, second = (explain_gradcam(finder, scaled[:1], label) for label in (0, 1))
    assert not np.allclose(first, second, atol=0.1)


def test_an_answer_that_is_sure_beyond_rounding_is_explained_too(
    finder: Any, scaled: NDArray[np.float32]
) -> None:
    import keras

    sure = keras.models.clone_model(finder)
    sure.set_weights(finder.get_weights())
    kernel, bias = sure.layers[-1].get_weights()
    sure.layers[-1].set_weights([kernel * 1e3, bias])
    assert np.asarray(sure(scaled[:1])).max() == 1
    assert explain_gradcam(sure, scaled[:1], 1).max() == 1


@pytest.fixture(scope="module")
def nested(finder: Any) -> Any:
    """A backbone within a functional network, as those of keras.applications are used."""
    import keras

    inside = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="early")(inside)
    x = keras.layers.SeparableConv2D(8, 3, strides=2, padding="same", name="late")(x)
    backbone = keras.Model(inside, keras.layers.Add()([x, keras.layers.ReLU()(x)]), name="backbone")
    image = keras.Input((16, 16, 3))
    shifted = keras.layers.Rescaling(2.0, offset=-1)(image)
    pooled = keras.layers.GlobalAveragePooling2D()(backbone(shifted))
    logits = keras.layers.Dense(3)(pooled)
    return keras.Model(image, keras.layers.Softmax()(logits), name="whole")


def test_a_convolution_within_a_nested_network_is_found_and_explains(nested: Any) -> None:
    image = np.random.default_rng(0).random((1, 16, 16, 3), np.float32)
    before = np.asarray(nested(image))
    assert find_last_convolution(nested) == "backbone/late"
    maps = [explain_gradcam(nested, image, 2, layer) for layer in (None, "backbone/early")]
    assert [one.shape for one in maps] == [(16, 16)] * 2
    assert not np.allclose(*maps, atol=0.05)
    np.testing.assert_array_equal(np.asarray(nested(image)), before)


def test_the_gradient_is_that_of_the_log_odds(nested: Any) -> None:
    """By finite differences: what the last layer is does not matter to what is explained."""
    import keras

    from mammoscan.inference.gradcam import open_network, score_label

    image = np.random.default_rng(1).random((2, 16, 16, 3), np.float32)
    *_, tail, output = open_network(nested, "backbone/late")(image)
    p = np.asarray(output)[[0, 1], [2, 0]]
    np.testing.assert_allclose(
        np.asarray(score_label(nested, tail, output, np.array([2, 0]))), np.log(p / (1 - p)), atol=1e-4
    )
    opaque = keras.Sequential([nested, keras.layers.Reshape((3,))])
    *_, tail, output = open_network(opaque, "whole/backbone/late")(image)
    np.testing.assert_allclose(
        np.asarray(score_label(opaque, tail, output, np.array([2, 0]))), np.log(p / (1 - p)), atol=1e-4
    )


def test_what_cannot_be_explained_says_so_in_one_line() -> None:
    import keras

    flat = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)], name="flat"
    )
    with pytest.raises(MammoscanError, match="network flat: found no convolution"):
        explain_gradcam(flat, np.zeros((1, 4, 4, 1), np.float32), 0)

    class Opaque(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="opaque")
            self.body = keras.layers.Conv2D(2, 3)

        def call(self, x: Any) -> Any:
            return self.body(x)[:, 0, 0]

    with pytest.raises(MammoscanError, match="network opaque: found a Opaque without a graph"):
        explain_gradcam(Opaque(), np.zeros((1, 4, 4, 1), np.float32), 0)
