from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from mammoscan.models.outputs import build_accuracy, build_loss, expand_probabilities
from mammoscan.training.validation import score_probabilities


def draw_probabilities(labels: int, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(labels)
    values = rng.random((count, labels)) + 0.05
    return (values / values.sum(1, keepdims=True)).astype(np.float32), rng.integers(0, labels, count)


def compute_binary_loss(values: np.ndarray, targets: np.ndarray) -> float:
    """Each label by itself."""
    return float(np.mean([log_loss(targets == k, values[:, k]) for k in range(values.shape[1])]))


class TestLosses:
    @pytest.mark.parametrize("name", ["auto", "crossentropy", "binary_crossentropy"])
    @pytest.mark.parametrize("labels", [2, 3])
    def test_a_softmax_is_judged_as_the_recipe_says(self, name: str, labels: int) -> None:
        values, targets = draw_probabilities(labels)
        found = np.asarray(build_loss(name, labels)(targets.astype(np.int32), values))
        assert found.shape == (40,)
        wanted = (
            compute_binary_loss(values, targets) if name.startswith("binary") else log_loss(targets, values)
        )
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
