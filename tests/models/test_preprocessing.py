from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.models.preprocessing import choose_scale, scale_pixels, scale_tensor
from mammoscan.params import Recipe


@pytest.mark.parametrize(("scale", "low", "high"), [("unit", 0, 1), ("standard", -4, 255 / 32 - 4)])
def test_bytes_are_scaled_alike_on_host_and_device(scale: str, low: float, high: float) -> None:
    levels = np.arange(256, dtype=np.uint8)
    values = scale_pixels(levels, scale)  # type: ignore[arg-type]
    assert values.dtype == np.float32
    assert (values[0], values[-1]) == pytest.approx((low, high))
    assert np.array_equal(values, np.asarray(scale_tensor(levels, scale)))  # type: ignore[arg-type]


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
