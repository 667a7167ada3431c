from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mammoscan.imaging.views import make_view
from mammoscan.inference import forward_pass
from mammoscan.inference.predict import predict_probabilities
from mammoscan.models import build_network
from mammoscan.params import AugmentationParams, MachineParams, Recipe, ViewParams
from mammoscan.training.augmentation import (
    AugmentationKind,
    augment_batch,
    draw_order,
    draw_prediction_warps,
    draw_views,
    draw_warps,
    read_augmentation,
    tabulate_views,
    warp_tensor,
)

IMAGES = np.random.default_rng(0).random((6, 9, 7, 3), np.float32)


def bend(images: np.ndarray, **words: Any) -> np.ndarray:
    height, width = images.shape[1:3]
    warps = draw_warps(AugmentationParams(**words), 5, 1, len(images), height, width)
    return np.asarray(warp_tensor(images, warps))


def test_nothing_asked_for_changes_nothing() -> None:
    np.testing.assert_array_equal(bend(IMAGES), IMAGES)


@pytest.mark.parametrize(("flip", "axis"), [("flip_horizontal", 2), ("flip_vertical", 1)])
def test_flips_are_exact_and_strike_some_images(flip: str, axis: int) -> None:
    found = bend(IMAGES, **{flip: True})
    turned = [np.array_equal(a, b) for a, b in zip(found, np.flip(IMAGES, axis), strict=True)]
    same = [np.array_equal(a, b) for a, b in zip(found, IMAGES, strict=True)]
    assert np.array_equal(turned, np.logical_not(same))
    assert 0 < sum(turned) < len(IMAGES)


def test_zoom_below_one_brings_nearer_and_each_axis_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    warps = draw_warps(AugmentationParams(zoom=(0.5, 0.8)), 0, 1, 50, 9, 7)
    assert warps[:, 0].min() >= 0.5
    assert warps[:, 4].max() <= 0.8
    assert not np.allclose(warps[:, 0], warps[:, 4])
    # The centre stays where it is.
    np.testing.assert_allclose(warps[:, 0] * 3 + warps[:, 1] * 4 + warps[:, 2], 3, atol=1e-5)
    np.testing.assert_allclose(warps[:, 3] * 3 + warps[:, 4] * 4 + warps[:, 5], 4, atol=1e-5)


def test_angles_are_degrees_to_either_side() -> None:
    turned = draw_warps(AugmentationParams(rotation=90), 0, 1, 500, 9, 9)
    angles = np.rad2deg(np.arctan2(turned[:, 1], turned[:, 0]))
    assert -90 <= angles.min() < -80
    assert 80 < angles.max() <= 90
    sheared = draw_warps(AugmentationParams(shear=30), 0, 1, 500, 9, 9)
    lean = np.rad2deg(np.arcsin(sheared[:, 3]))
    assert -30 <= lean.min() < -27
    assert 27 < lean.max() <= 30
    np.testing.assert_array_equal(sheared[:, 4], 1)


def test_a_quarter_turn_is_that_of_numpy() -> None:
    image = IMAGES[:1, :7]
    quarter = draw_warps(AugmentationParams(), 0, 1, 1, 7, 7)
    quarter[0, :6] = [0, 1, 0, -1, 0, 6]
    np.testing.assert_array_equal(np.asarray(warp_tensor(image, quarter))[0], np.rot90(image[0], -1))


def test_what_lies_outside_repeats_the_border() -> None:
    flat = np.full((4, 8, 8, 1), 0.7, np.float32)
    np.testing.assert_allclose(bend(flat, rotation=180, shear=40, zoom=(1.0, 4.0)), 0.7, atol=1e-6)


def test_seed_and_epoch_alone_decide_the_draws() -> None:
    params = AugmentationParams(rotation=20)
    first = draw_warps(params, 1, 2, 30, 9, 9)
    assert np.array_equal(first, draw_warps(params, 1, 2, 30, 9, 9))
    for other in (draw_warps(params, 1, 3, 30, 9, 9), draw_warps(params, 2, 2, 30, 9, 9)):
        assert not np.array_equal(first, other)


class TestPrediction:
    RECIPE = Recipe(
        epochs=1, augmentation=AugmentationParams(rotation=30, flip_vertical=True), prediction_draws=3
    )
    CPU = MachineParams(device="cpu")

    def ask(self, model: Any, problem: Any, rows: Any, *, eight: bool = False) -> np.ndarray:
        return predict_probabilities(
            model,
            problem.pixels,
            rows,
            recipe=self.RECIPE,
            views=ViewParams(prediction=eight),
            machine=self.CPU,
        )

    def test_it_is_the_mean_over_the_draws_which_are_the_same_for_all_images(self, problem: Any) -> None:
        model = build_network("small_cnn", (16, 16, 1), 2, seed=2)
        rows = problem.test[:5]
        images = problem.pixels[rows].astype(np.float32)
        warps = draw_prediction_warps(self.RECIPE.augmentation, 0, 3, 16, 16)
        shown = [np.asarray(warp_tensor(images, warp)) / 255 for warp in warps]
        plain = np.mean([model.predict(view, verbose=0) for view in shown], axis=0)
        found = self.ask(model, problem, rows)
        np.testing.assert_allclose(found, plain, atol=1e-6)
        np.testing.assert_allclose(self.ask(model, problem, rows[3:4]), found[3:4], atol=1e-6)

    def test_views_and_draws_go_together_on_any_backend(
        self, problem: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import keras

        model = build_network("tiny", (16, 16, 1), 2, seed=2)
        rows = problem.test[:5]
        compiled = self.ask(model, problem, rows, eight=True)
        np.testing.assert_allclose(compiled.sum(axis=1), 1, atol=1e-6)
        monkeypatch.setattr(keras.config, "backend", lambda: "torch")
        np.testing.assert_allclose(self.ask(model, problem, rows, eight=True), compiled, atol=1e-6)

    def test_a_program_that_draws_is_another_one(self, problem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(forward_pass, "_compiled", {})
        model = build_network("tiny", (16, 16, 1), 2, seed=2)
        drawn = self.ask(model, problem, problem.test)
        plain = predict_probabilities(
            model,
            problem.pixels,
            problem.test,
            recipe=Recipe(epochs=1),
            views=ViewParams(prediction=False),
            machine=self.CPU,
        )
        assert len(forward_pass._compiled) == 2
        assert not np.allclose(drawn, plain)


def test_an_epochs_order_is_a_permutation_that_only_seed_and_epoch_decide() -> None:
    order = draw_order(3, 7, 50)
    assert sorted(order) == list(range(50))
    assert np.array_equal(order, draw_order(3, 7, 50))
    assert not np.array_equal(order, draw_order(3, 8, 50))
    assert not np.array_equal(order, draw_order(4, 7, 50))


def test_every_view_is_drawn_about_as_often_as_another() -> None:
    counts = np.bincount(draw_views(0, 1, 8000), minlength=8)
    assert len(counts) == 8
    assert counts.min() > 850


def test_the_tables_of_views_are_the_views() -> None:
    image = np.random.default_rng(0).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    for k, table in enumerate(tabulate_views(6, 6)):
        assert np.array_equal(image.reshape(36, 3)[table].reshape(6, 6, 3), make_view(image, k))


def test_shifts_move_by_shares_of_the_sides_and_fill_as_said() -> None:
    image = np.arange(64, dtype=np.float32).reshape(1, 8, 8, 1)
    warps = draw_warps(AugmentationParams(shift_height=0.5), 0, 1, 50, 8, 8)
    assert np.abs(warps[:, 5]).max() <= 4
    assert not warps[:, 2].any()
    warps[0, 5] = 2.0
    moved = np.asarray(warp_tensor(image, warps[:1]))
    np.testing.assert_allclose(moved[0, :6], image[0, 2:], atol=1e-4)
    np.testing.assert_allclose(moved[0, 6:], image[0, [7, 7]], atol=1e-4)
    black = np.asarray(warp_tensor(image, warps[:1], AugmentationKind("constant")))
    assert not black[0, 6:].any()


def test_grey_levels_change_as_keras_layers_do() -> None:
    image = np.random.default_rng(0).uniform(60, 190, (1, 8, 8, 1)).astype(np.float32)
    augmentation = AugmentationParams(brightness=0.1, contrast=0.3)
    warps = draw_warps(augmentation, 0, 1, 1, 8, 8)
    offset, factor = warps[0, 8:]
    assert 0 < abs(offset) <= 25.5
    assert 0.7 <= factor <= 1.3
    found = np.asarray(warp_tensor(image, warps, read_augmentation(augmentation)))
    np.testing.assert_allclose(found, (image - image.mean()) * factor + image.mean() + offset, atol=1e-3)


def test_what_was_drawn_before_does_not_depend_on_the_newer_parts() -> None:
    plain = draw_warps(AugmentationParams(rotation=30, zoom=(0.8, 1.2)), 3, 2, 9, 8, 8)
    more = draw_warps(AugmentationParams(rotation=30, zoom=(0.8, 1.2), brightness=0.2), 3, 2, 9, 8, 8)
    np.testing.assert_array_equal(plain[:, :8], more[:, :8])


def test_a_batch_is_shown_as_a_training_shows_it() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1)).astype(np.uint8)
    assert augment_batch(images, None, False, 3) is images
    turned = augment_batch(images, None, True, 3)
    views = draw_views(3, 1, 4)
    for image, shown, view in zip(images, turned, views, strict=True):
        np.testing.assert_array_equal(shown, make_view(image, int(view)))
    flipped = augment_batch(images, AugmentationParams(flip_horizontal=True), False, 3)
    mirrored = (flipped == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert mirrored.any()
    np.testing.assert_array_equal(flipped[~mirrored], images[~mirrored])
