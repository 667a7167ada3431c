from __future__ import annotations

import numpy as np
import pytest

from mammoscan.training.setup import compute_sample_weights


def test_balanced_weights_give_every_label_the_same_sum_over_the_training_rows() -> None:
    targets = np.array([0] * 6 + [1] * 2 + [0] * 50)
    weights = compute_sample_weights(targets, np.arange(8), 2, "balanced")
    assert weights[:6].sum() == pytest.approx(4)
    assert weights[6:8].sum() == pytest.approx(4)
    assert set(compute_sample_weights(targets, np.arange(8), 2, "none")) == {1}
