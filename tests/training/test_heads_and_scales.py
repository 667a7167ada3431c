from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss

from mammoscan.errors import MammoscanError
from mammoscan.models.outputs import build_accuracy, build_loss, expand_probabilities
from mammoscan.models.preprocessing import choose_scale, scale_pixels, scale_tensor
from mammoscan.params import Recipe
from mammoscan.training.validation import score_probabilities


def draw_probabilities(labels: int, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(labels)
    values = rng.random((count, labels)) + 0.05
    return (values / values.sum(1, keepdims=True)).astype(np.float32), rng.integers(0, labels, count)


def judge_binary(values: np.ndarray, targets: np.ndarray) -> float:
    """Each label by itself."""
    return float(np.mean([log_loss(targets == k, values[:, k]) for k in range(values.shape[1])]))


class TestLosses:
    @pytest.mark.parametrize("name", ["auto", "crossentropy", "binary_crossentropy"])
    @pytest.mark.parametrize("labels", [2, 3])
    def test_a_softmax_is_judged_as_the_recipe_says(self, name: str, labels: int) -> None:
        values, targets = draw_probabilities(labels)
        found = np.asarray(build_loss(name, labels)(targets.astype(np.int32), values))
        assert found.shape == (40,)
        wanted = judge_binary(values, targets) if name.startswith("binary") else log_loss(targets, values)
        assert found.mean() == pytest.approx(wanted, rel=1e-5)
        assert score_probabilities(values, targets, name)["val_loss"] == pytest.approx(wanted, rel=1e-5)

    @pytest.mark.parametrize("name", ["auto", "binary_crossentropy"])
    def test_a_lone_sigmoid_is_the_probability_of_the_second_label(self, name: str) -> None:
        values, targets = draw_probabilities(2)
        found = np.asarray(build_loss(name, 1)(targets.astype(np.int32), values[:, 1:]))
        assert found.mean() == pytest.approx(log_loss(targets, values), rel=1e-5)
        np.testing.assert_allclose(expand_probabilities(values[:, 1:]), values, atol=1e-6)

    def test_both_heads_are_right_about_the_same_images(self) -> None:
        values, targets = draw_probabilities(2)
        wanted = values.argmax(1) == targets
        for width in (1, 2):
            found = build_accuracy(width)(targets.astype(np.int32), values[:, 2 - width :])
            assert np.array_equal(np.asarray(found), wanted)


class TestScales:
    @pytest.mark.parametrize(
        ("network", "module"),
        [("densenet201", "densenet"), ("resnet50", "resnet"), ("mobilenet_v2", "mobilenet_v2")],
    )
    def test_a_backbones_scale_is_that_of_keras(self, network: str, module: str) -> None:
        import keras

        pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)
        scale = choose_scale(Recipe(epochs=1, network={"name": network}, scale="backbone"))
        wanted = getattr(keras.applications, module).preprocess_input(pixels.astype(np.float32))
        np.testing.assert_allclose(scale_pixels(pixels, scale), wanted, atol=1e-4)
        np.testing.assert_allclose(np.asarray(scale_tensor(pixels, scale)), wanted, atol=1e-4)

    @pytest.mark.parametrize("scale", ["caffe", "torch"])
    def test_one_channel_is_scaled_as_three_are_on_the_whole(self, scale: Any) -> None:
        grey = np.full((1, 2, 2, 1), 128, np.uint8)
        found = scale_pixels(grey, scale)
        assert found.shape == grey.shape
        assert found.mean() == pytest.approx(scale_pixels(grey.repeat(3, axis=3), scale).mean(), abs=0.01)

    def test_what_was_not_resolved_or_has_no_backbone_is_refused(self) -> None:
        with pytest.raises(MammoscanError, match=r"'backbone', expected what choose_scale"):
            scale_pixels(np.zeros((1, 2, 2, 3), np.uint8), "backbone")  # type: ignore[arg-type]
        with pytest.raises(
            MammoscanError, match=r"scale: backbone needs a network with a pretrained backbone"
        ):
            choose_scale(Recipe(epochs=1, scale="backbone"))
