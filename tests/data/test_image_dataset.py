from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from image_folders import TINY, write_image, write_tiny_set

from mammoscan.data import image_dataset as sources
from mammoscan.data.image_dataset import ImageSet, find_image_set, index_images, open_images, register_images
from mammoscan.data.image_folder import index_folders
from mammoscan.errors import MammoscanError
from mammoscan.params import PhantomParams

PHANTOM = PhantomParams(patients=8, seed=7)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    monkeypatch.setattr(sources, "_REGISTERED", {})
    return register_images(TINY)


def open_tiny(source: str | Path, folder: Path) -> dict:
    return open_images("tiny", str(source), PHANTOM, 1.0, folder)


def test_a_folder_is_read_in_place_and_its_record_says_what_it_is(tmp_path: Path) -> None:
    write_tiny_set(tmp_path / "own")
    record = open_tiny(tmp_path / "own", tmp_path / "raw")
    assert (record.dataset, record.kind, record.images, record.patients) == (
        "tiny",
        "real",
        12,
        6,
    )
    assert record.folder == str((tmp_path / "own").resolve())
    assert (record.citation, record.licence, record.limits) == (
        "Nobody (2026)",
        "MIT",
        ("Noise only.",),
    )
    assert not (tmp_path / "raw").exists()
    table, rejected = index_images(record)
    assert (len(table), len(rejected)) == (12, 0)


def test_the_fingerprint_changes_with_content_and_path_of_any_file_but_not_with_the_place(
    tmp_path: Path,
) -> None:
    write_tiny_set(tmp_path / "own")
    first = open_tiny(tmp_path / "own", tmp_path / "raw").fingerprint
    shutil.copytree(tmp_path / "own", tmp_path / "moved")
    assert open_tiny(tmp_path / "moved", tmp_path / "raw").fingerprint == first
    write_image(tmp_path / "moved" / "cat" / "p1_0.png", 99)
    second = open_tiny(tmp_path / "moved", tmp_path / "raw").fingerprint
    (tmp_path / "own" / "cat" / "p1_0.png").rename(tmp_path / "own" / "dog" / "p1_0.png")
    third = open_tiny(tmp_path / "own", tmp_path / "raw").fingerprint
    assert len({first, second, third}) == 3


def test_an_archive_is_unpacked_and_its_wrapping_folder_passed_through(tmp_path: Path) -> None:
    write_tiny_set(tmp_path / "own" / "tiny-1.0")
    archive = shutil.make_archive(str(tmp_path / "tiny"), "gztar", tmp_path / "own")
    record = open_tiny(archive, tmp_path / "raw")
    assert record.images == 12
    assert Path(record.folder).name == "tiny-1.0"
    assert record.fingerprint == open_tiny(tmp_path / "own", tmp_path / "raw").fingerprint


def test_the_phantom_is_made_once_and_stays_one_where_it_is_given_as_a_folder(tmp_path: Path) -> None:
    record = open_tiny("phantom", tmp_path)
    assert (record.kind, record.images) == ("phantom", 16)
    assert record.citation.startswith("None: synthetic images in the layout of Tiny")
    file = Path(record.folder) / "cat" / "p1_0.png"
    written = file.stat().st_mtime_ns
    assert open_tiny("phantom", tmp_path) == record
    assert file.stat().st_mtime_ns == written
    assert open_tiny(record.folder, tmp_path / "other").kind == "phantom"


def test_a_set_without_a_phantom_says_what_to_give_instead(tmp_path: Path) -> None:
    register_images(ImageSet(name="tiny", title="Tiny", index=TINY.index))
    with pytest.raises(
        MammoscanError, match=r"tiny.source is 'phantom', but Tiny has none; expected a folder"
    ):
        open_tiny("phantom", tmp_path)


def test_a_folder_without_an_image_is_refused_with_the_first_reason(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "notes.txt").touch()
    with pytest.raises(MammoscanError, match=r"holds no image of Tiny: not an image by its name.*notes\.txt"):
        open_tiny(tmp_path / "own", tmp_path)


def test_an_unknown_set_is_refused_with_the_known_ones() -> None:
    with pytest.raises(MammoscanError, match=r"no data set 'tinny', expected one of: .*pneumonia.*tiny"):
        find_image_set("tinny")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"patient_id": None}, "a row of its images has no patient_id"),
        ({"sample_id": "same"}, "sample_id 'same' stands twice"),
    ],
)
def test_an_index_that_breaks_the_rules_is_refused(tmp_path: Path, change: dict, said: str) -> None:
    def index(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
        table, rejected = TINY.index(folder)
        return table.assign(**change), rejected

    write_tiny_set(tmp_path)
    record = open_tiny(tmp_path, tmp_path)
    register_images(ImageSet(name="tiny", title="Tiny", index=index))
    with pytest.raises(MammoscanError, match=said):
        index_images(record)


def _return_nothing(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    return None  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("index", "said"),
    [
        (
            lambda folder: index_folders(folder),  # type: ignore[call-arg]
            r"^tiny: .* failed, TypeError in test_image_dataset.py, line \d+: .*'patient'; expected two",
        ),
        (
            _return_nothing,
            r"^tiny: .* failed, TypeError.*; expected two tables, images with",
        ),
        (
            lambda folder: (TINY.index(folder)[0].drop(columns="patient_id"), TINY.index(folder)[1]),
            "has no patient_id",
        ),
    ],
)
def test_an_index_that_fails_is_one_line_with_its_place(tmp_path: Path, index: Any, said: str) -> None:
    write_tiny_set(tmp_path)
    register_images(ImageSet(name="tiny", title="Tiny", index=index))
    with pytest.raises(MammoscanError, match=said) as caught:
        open_tiny(tmp_path, tmp_path)
    assert "\n" not in caught.value.message
