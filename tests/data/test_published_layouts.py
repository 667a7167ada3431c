"""The data sets as people have them after unpacking what was published, at toy size."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from mammoscan.data.breakhis import index_breakhis, index_listed
from mammoscan.data.idc import index_idc
from mammoscan.data.image_dataset import open_images
from mammoscan.data.image_folder import find_data_folder
from mammoscan.params import PhantomParams
from mammoscan.phantoms import breakhis, idc, pneumonia

PARAMS = PhantomParams(patients=8, workers=1)


def show(done: int, total: int) -> None:
    pass


def add_macs_clutter(home: Path) -> None:
    """Put beside the files what a Mac leaves in an archive."""
    for file in [*home.rglob("*.*")][:5]:
        shadow = home.parent / "__MACOSX" / file.relative_to(home.parent)
        shadow.parent.mkdir(parents=True, exist_ok=True)
        shadow.with_name(f"._{file.name}").write_bytes(b"\0\5\x16\7")
        (file.parent / ".DS_Store").write_bytes(b"\0")


def double(home: Path) -> None:
    """Put a tree into itself, as archives of Kaggle do."""
    shutil.copytree(home, home.parent / "copy")
    shutil.move(home.parent / "copy", home / home.name)


def test_kermanys_films_as_kaggle_has_them(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    pneumonia.write_phantom(plain, PARAMS, show)
    expected = open_images("pneumonia", str(plain), PARAMS, 1.0, tmp_path / "raw")
    home = tmp_path / "archive" / "chest_xray"
    for part in ("train", "val", "test"):
        for ours, theirs in (("Normal", "NORMAL"), ("Opacity", "PNEUMONIA")):
            if (plain / part / ours).is_dir():
                shutil.copytree(plain / part / ours, home / part / theirs)
    double(home)
    add_macs_clutter(home)
    found = open_images("pneumonia", str(tmp_path / "archive"), PARAMS, 1.0, tmp_path / "raw")
    assert (found.images, found.patients) == (expected.images, expected.patients)


def test_breakhis_tree_in_which_two_slides_are_one_patient(tmp_path: Path) -> None:
    breakhis.write_phantom(tmp_path / "archive", PARAMS, show)
    add_macs_clutter(tmp_path / "archive" / "BreaKHis_v1")
    images, rejected = index_breakhis(find_data_folder(tmp_path / "archive"))
    assert rejected.empty
    slides = images.groupby("patient_id")["slide"].unique().map(set)
    both = slides[slides.map(len) > 1]
    assert len(both)
    assert all({slide.rstrip("ABCD") for slide in each} == {patient} for patient, each in both.items())


def test_a_dataset_csv_of_path_and_label_beside_the_tree(tmp_path: Path) -> None:
    breakhis.write_listed_phantom(tmp_path, PARAMS, show)
    listed = pd.read_csv(tmp_path / "dataset.csv")
    images, _ = index_listed(find_data_folder(tmp_path))
    assert list(listed.columns) == ["path", "label"]
    assert set(images["source"]) == set(listed["path"])


def test_idcs_tree_with_its_double(tmp_path: Path) -> None:
    idc.write_phantom(tmp_path / "archive", PARAMS, show)
    [home] = [path for path in (tmp_path / "archive").iterdir() if path.is_dir()]
    once, _ = index_idc(home)
    double(home)
    add_macs_clutter(home)
    images, rejected = index_idc(home)
    assert images.equals(once)
    assert len(rejected) == len(once)
    assert rejected["reason"].str.contains("a second patch at this place").all()
