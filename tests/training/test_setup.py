from __future__ import annotations

import numpy as np
import pytest

from mammoscan.training.setup import compute_class_weights, weigh_samples


def test_balanced_weights_give_every_label_the_same_sum_over_the_training_rows() -> None:
    targets = np.array([0] * 6 + [1] * 2 + [0] * 50)
    weights = weigh_samples(targets, compute_class_weights(targets, np.arange(8), 2, "balanced"))
    assert weights[:6].sum() == pytest.approx(4)
    assert weights[6:8].sum() == pytest.approx(4)
    assert set(weigh_samples(targets, compute_class_weights(targets, np.arange(8), 2, "none"))) == {1}


def test_the_weights_are_those_that_the_chest_article_states() -> None:
    targets = np.repeat([0, 1], [1082, 3110])
    weights = compute_class_weights(targets, np.arange(len(targets)), 2, "balanced")
    assert weights == pytest.approx((1.937, 0.674), abs=5e-4)
