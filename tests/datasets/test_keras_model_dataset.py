from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.io import DatasetError

from mammoscan.datasets import KerasModelDataset


@pytest.fixture(scope="module")
def model() -> Any:
    import keras

    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])


@pytest.fixture
def dataset(tmp_path: Path) -> KerasModelDataset:
    return KerasModelDataset(filepath=str(tmp_path / "06_models" / "model.keras"))


def test_a_model_comes_back_with_its_weights_and_uncompiled(dataset: KerasModelDataset, model: Any) -> None:
    dataset.save(model)
    loaded = dataset.load()
    assert not loaded.compiled
    for found, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_save_that_dies_leaves_the_former_file(
    dataset: KerasModelDataset, model: Any, tmp_path: Path
) -> None:
    class Dying:
        def save(self, path: Path) -> None:
            path.write_bytes(b"half of it")
            raise OSError("disk full")

    dataset.save(model)
    before = (tmp_path / "06_models" / "model.keras").read_bytes()
    with pytest.raises(DatasetError):
        dataset.save(Dying())
    assert {path.name: path.read_bytes() for path in (tmp_path / "06_models").glob("[!.]*")} == {
        "model.keras": before
    }


def test_no_code_that_a_file_carries_is_run(dataset: KerasModelDataset, tmp_path: Path) -> None:
    import keras

    layer = keras.layers.Lambda(lambda x: x)
    dataset.save(keras.Sequential([keras.Input((3,)), layer]))
    with pytest.raises(DatasetError):
        dataset.load()


def test_it_exists_once_it_was_saved(dataset: KerasModelDataset, model: Any) -> None:
    assert not dataset.exists()
    dataset.save(model)
    assert dataset.exists()
