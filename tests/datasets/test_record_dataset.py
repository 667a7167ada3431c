from __future__ import annotations

from pathlib import Path

import pytest
from kedro.io import DatasetError

from mammoscan.datasets import RecordDataset
from mammoscan.records.base import Record


class Example(Record):
    name: str
    count: int


@pytest.fixture
def dataset(tmp_path: Path) -> RecordDataset:
    return RecordDataset(filepath=str(tmp_path / "a" / "example.json"), record=f"{__name__}.Example")


def test_a_saved_record_is_loaded_as_an_equal_record(dataset: RecordDataset) -> None:
    dataset.save(Example(name="films", count=3))
    assert dataset.load() == Example(name="films", count=3)
    assert str(dataset.preview()) == '{\n "name": "films",\n "count": 3\n}\n'


def test_a_file_that_does_not_fit_is_refused_by_name_with_the_key(dataset: RecordDataset) -> None:
    dataset.save(Example(name="films", count=3))
    dataset._filepath.write_text('{"name": "films", "count": "many"}')
    with pytest.raises(DatasetError, match=r"example\.json: count: .*expected a Example"):
        dataset.load()
