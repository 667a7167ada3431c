from __future__ import annotations

import pytest

from mammoscan.training.early_stopping import Stopping


@pytest.mark.parametrize(("monitor", "values"), [("loss", [3, 2, 2, 2.5]), ("auc", [0.6, 0.7, 0.7, 0.5])])
def test_only_strictly_better_epochs_reset_the_patience(monitor: str, values: list[float]) -> None:
    stopping = Stopping(monitor, patience=2)
    noted = [stopping.note_epoch(i + 1, {f"val_{monitor}": value}) for i, value in enumerate(values)]
    assert noted == [True, True, False, False]
    assert stopping.best_epoch == 2
    assert stopping.is_over
