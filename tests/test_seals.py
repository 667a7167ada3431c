"""Seals beside files: a changed file is noticed, an equal one keeps its age."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mammoscan.datasets import ArrayDataset, CSVDataset
from mammoscan.errors import MammoscanError
from mammoscan.seals import check_content, hash_file, made_at, read_seal, seal_path, write_sealed


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "predictions.csv"
    save(path)
    return path


def save(path: Path, text: str = "a,b\n1,2\n") -> None:
    with write_sealed(path) as part:
        part.write_text(text)


def test_an_untouched_file_is_taken_without_reading_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mammoscan.seals.hash_file", lambda path: pytest.fail("it was read"))
    check_content("mias.predictions", file)


def test_a_table_cut_by_hand_is_refused_by_name(file: Path) -> None:
    file.write_text("a,b\n")
    with pytest.raises(
        MammoscanError, match=r"mias\.predictions: predictions\.csv was changed since it was written"
    ):
        check_content("mias.predictions", file)


def test_zeros_in_the_middle_of_an_array_are_refused(tmp_path: Path) -> None:
    dataset = ArrayDataset(filepath=str(tmp_path / "pixels.npy"))
    dataset.save(np.ones((100, 8, 8, 1), np.uint8))
    with (tmp_path / "pixels.npy").open("rb+") as stream:
        stream.seek(1000)
        stream.write(bytes(400))
    with pytest.raises(MammoscanError, match=r"pixels\.npy was changed"):
        check_content("mias.pixels", tmp_path / "pixels.npy")


def test_a_file_that_no_run_wrote_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a\n")
    with pytest.raises(MammoscanError, match=r"x\.csv has no seal"):
        check_content("mias.x", tmp_path / "x.csv")


def test_a_copy_with_another_time_is_the_same_file(file: Path) -> None:
    os.utime(file, (1, 1))
    check_content("mias.predictions", file)
    assert read_seal(file).mtime_ns == 1_000_000_000


def test_an_equal_file_keeps_its_age_and_is_known_to_be_fresh(tmp_path: Path) -> None:
    dataset = CSVDataset(filepath=str(tmp_path / "table.csv"), save_args={"index": False})
    dataset.save(pd.DataFrame({"a": [1]}))
    file = tmp_path / "table.csv"
    before, confirmed = file.stat().st_mtime_ns, made_at(file)
    time.sleep(0.05)
    dataset.save(pd.DataFrame({"a": [1]}))
    assert file.stat().st_mtime_ns == before
    assert made_at(file) > confirmed
    dataset.save(pd.DataFrame({"a": [2]}))
    assert file.stat().st_mtime_ns > before


def test_a_process_killed_between_seal_and_file_leaves_a_file_that_fits(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = hash_file(file)
    replace = Path.replace

    def die_at_the_file(path: Path, target: Path) -> Path:
        if target == file:
            raise KeyboardInterrupt
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", die_at_the_file)
    with pytest.raises(KeyboardInterrupt):
        save(file, "other\n")
    assert hash_file(file) == former
    check_content("mias.predictions", file)


def test_a_broken_seal_is_no_seal(file: Path) -> None:
    seal_path(file).write_text("{")
    assert read_seal(file) is None
