"""From a folder of image files to one table and one array, on a phantom of a few patients."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mammoscan.datasets import ArrayDataset, ArrayFile
from mammoscan.params import PackParams, PhantomParams, Question
from mammoscan.pipelines.images import nodes
from mammoscan.records.dataset import DatasetRecord

QUESTION = Question(text="?", labels=("Normal", "Opacity"), positive="Opacity")
PACK = PackParams(size=32, channels=1, workers=2)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> DatasetRecord:
    folder = tmp_path_factory.mktemp("raw") / "pneumonia"
    return nodes.open_source("phantom", PhantomParams(patients=8, workers=2), 1.0, folder)


@pytest.fixture(scope="module")
def tables(record: DatasetRecord) -> tuple[pd.DataFrame, pd.DataFrame]:
    return nodes.index_images(record)


def test_the_folder_names_the_data_set(record: DatasetRecord) -> None:
    assert (record.dataset, record.kind) == ("pneumonia", "phantom")


def test_a_folder_of_ones_own_is_said_to_be_real(
    record: DatasetRecord, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = Path(record.folder)
    (tmp_path / "own").mkdir()
    for path in home.rglob("*.jpeg"):
        target = tmp_path / "own" / path.relative_to(home)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    with caplog.at_level(logging.INFO, "mammoscan"):
        nodes.open_source(str(tmp_path / "own"), PhantomParams(), 1.0, tmp_path / "pneumonia")
    assert f"real data: {record.images} images of 8 patients in {tmp_path / 'own'}" in caplog.messages


def test_samples_and_pixels_stand_in_one_order_and_the_second_run_says_that_it_reused_them(
    record: DatasetRecord, tables: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chosen, left_out = nodes.choose_images(*tables, QUESTION, PACK)
    with caplog.at_level(logging.INFO, "mammoscan"):
        samples, file, rejected = nodes.pack_images(record, chosen, left_out, PACK, tmp_path)
        nodes.pack_images(record, chosen, left_out, PACK, tmp_path)
    count = record.images
    assert caplog.messages == [
        f"packed {count} images at 32 x 32 x 1",
        f"reused the pack of {count} images at 32 x 32 x 1",
    ]
    assert {"sample_id", "patient_id", "source", "label", "target", "region_id", "group"} <= set(samples)
    assert np.load(file.path).shape == (count, 32, 32, 1)
    assert rejected.empty
    assert nodes.count_census(chosen).columns.tolist() == ["group", "label"]


def test_what_cannot_be_decoded_stands_among_the_rejected(
    record: DatasetRecord, tables: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chosen, left_out = nodes.choose_images(*tables, QUESTION, PACK)
    chosen.loc[3, "source"] = "train/Normal/lost.jpeg"
    with caplog.at_level(logging.INFO, "mammoscan"):
        samples, file, rejected = nodes.pack_images(record, chosen, left_out, PACK, tmp_path)
    assert "; 1 could not be used, see rejected.csv" in caplog.text
    assert rejected["source"].tolist() == ["train/Normal/lost.jpeg"]
    assert len(samples) == len(np.load(file.path)) == record.images - 1


def test_a_packed_file_is_linked_into_its_place_and_looks_new(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4, 1)
    np.save(tmp_path / "pack.npy", array)
    dataset = ArrayDataset(filepath=str(tmp_path / "out" / "pixels.npy"))
    for _ in range(2):
        dataset.save(ArrayFile(tmp_path / "pack.npy"))
        np.testing.assert_array_equal(dataset.load(), array)
    assert (tmp_path / "out" / "pixels.npy").stat().st_ino == (tmp_path / "pack.npy").stat().st_ino


def test_where_a_link_cannot_be_the_file_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError("another file system")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    np.save(tmp_path / "pack.npy", np.ones((1, 2, 2, 1), np.uint8))
    dataset = ArrayDataset(filepath=str(tmp_path / "pixels.npy"))
    dataset.save(ArrayFile(tmp_path / "pack.npy"))
    assert dataset.load().sum() == 4
