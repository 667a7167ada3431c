from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from mammoscan.training.validation import score_probabilities


@pytest.mark.parametrize("labels", [2, 3])
def test_scores_are_those_of_scikit_learn(labels: int) -> None:
    rng = np.random.default_rng(1)
    targets = rng.integers(0, labels, 60)
    values = rng.random((60, labels)).round(1) + 0.05
    values = (values / values.sum(1, keepdims=True)).astype(np.float32)
    scores = score_probabilities(values, targets)
    auc = roc_auc_score(targets, values[:, 1] if labels == 2 else values, multi_class="ovr")
    assert scores["val_loss"] == pytest.approx(log_loss(targets, values), rel=1e-5)
    assert scores["val_auc"] == pytest.approx(auc, rel=1e-6)
    assert scores["val_accuracy"] == pytest.approx(np.mean(values.argmax(1) == targets))


def test_auc_of_one_label_is_no_number() -> None:
    assert np.isnan(score_probabilities(np.full((4, 2), 0.5, np.float32), np.ones(4, int))["val_auc"])
