"""The article's images as files: its names, its twelve views, and a run that goes on where it was ended."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mammoscan.data import mias, mias_subsamples
from mammoscan.imaging.crops import crop_radius
from mammoscan.params import PhantomParams, SubsamplesParams
from mammoscan.pipelines.mias.nodes import clean_notes, count_census, open_source
from mammoscan.pipelines.subsamples.nodes import write_subsamples
from mammoscan.records.dataset import DatasetRecord

PARAMS = SubsamplesParams()


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> DatasetRecord:
    return open_source(
        "phantom", PhantomParams(patients=8, workers=1), False, 2.0, tmp_path_factory.mktemp("raw")
    )


@pytest.fixture(scope="module")
def notes(record: DatasetRecord) -> tuple[pd.DataFrame, pd.DataFrame]:
    return clean_notes(record)


@pytest.fixture(scope="module")
def written(
    record: DatasetRecord, notes: tuple, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("subsamples") / "images"
    return folder, write_subsamples(record, *notes, PARAMS, folder)


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_each_region_gives_the_twelve_images_of_the_article(
    written: tuple[Path, pd.DataFrame], notes: tuple, record: DatasetRecord
) -> None:
    folder, files = written
    assert sorted(path.name for path in folder.iterdir()) == sorted(files["file"])
    assert set(files.groupby("scan").size()) == {12}
    scan = files["scan"].iloc[0]
    names = [
        f"{scan}_{turn}_{kind}.png"
        for turn in (0, 90, 180, 270)
        for kind in ("rotated", "mirr_lr", "mirr_tp")
    ]
    assert list(files["file"][:12]) == names
    images = {name.removeprefix(f"{scan}_").removesuffix(".png"): read(folder / name) for name in names}
    plain = images["0_rotated"]
    assert (plain.shape, plain.dtype) == ((48, 48), np.uint8)
    for turns in range(4):
        turned = np.rot90(plain, turns)
        np.testing.assert_array_equal(images[f"{90 * turns}_rotated"], turned)
        np.testing.assert_array_equal(images[f"{90 * turns}_mirr_lr"], turned[:, ::-1])
        np.testing.assert_array_equal(images[f"{90 * turns}_mirr_tp"], turned[::-1])
    row = notes[0][notes[0]["scan"] == scan].iloc[0]
    if row["severity"] != "normal" and pd.notna(row["x"]):
        cut = crop_radius(mias.read_scan(record, row["source"]), 1024 - row["y"], row["x"], row["radius"], 48)
        np.testing.assert_array_equal(plain, cut)


def test_they_are_the_images_that_the_article_counted(
    written: tuple[Path, pd.DataFrame], notes: tuple
) -> None:
    from mammoscan.params import ViewParams

    census = count_census(*notes, ViewParams(stored="twelve"))
    assert len(written[1]) == len(census)
    assert written[1]["group"].value_counts().to_dict() == census["group"].value_counts().to_dict()


def test_a_second_run_writes_only_what_is_missing_or_broken(
    written: tuple[Path, pd.DataFrame],
    record: DatasetRecord,
    notes: tuple,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder, files = written
    first, second, third = (folder / name for name in files["file"][:3])
    before = {path: path.read_bytes() for path in (first, second, third)}
    first.unlink()
    second.write_bytes(before[second][:20])
    unchanged = third.stat().st_mtime_ns
    (folder / "mdb999_0_rotated.png").write_bytes(b"of another data set")
    (folder / "mdb999_0_rotated.png.part").write_bytes(b"of a killed run")
    (folder / "notes.txt").write_text("of a person")
    with caplog.at_level(logging.INFO, "mammoscan"):
        again = write_subsamples(record, *notes, PARAMS, folder)
    assert f": 2 written, {len(files) - 2} there already, 2 of another run removed" in caplog.text
    pd.testing.assert_frame_equal(again, files)
    assert {path: path.read_bytes() for path in before} == before
    assert third.stat().st_mtime_ns == unchanged
    assert not list(folder.glob("mdb999*"))
    (folder / "notes.txt").unlink()


def test_a_run_that_is_ended_leaves_whole_files_only(
    record: DatasetRecord, notes: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_scan, opened = mias.read_scan, []

    def fail_on_the_third(record: DatasetRecord, name: str) -> np.ndarray:
        opened.append(name)
        if len(opened) == 3:
            raise KeyboardInterrupt
        return read_scan(record, name)

    monkeypatch.setattr(mias, "read_scan", fail_on_the_third)
    monkeypatch.setattr(mias_subsamples, "THREADS", 1)
    with pytest.raises(KeyboardInterrupt):
        write_subsamples(record, *notes, PARAMS, tmp_path / "images")
    left = list((tmp_path / "images").iterdir())
    assert len(left) >= 24
    assert all(read(path).shape == (48, 48) for path in left)


def test_nothing_is_written_among_the_raw_files(
    written: tuple[Path, pd.DataFrame], record: DatasetRecord
) -> None:
    assert not list(Path(record.folder).rglob("*_rotated*"))
