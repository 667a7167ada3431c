from __future__ import annotations

from pathlib import Path

import pytest
from image_folders import write_image, write_tiny_set

from mammoscan.data.image_folder import find_data_folder, index_folders, list_files, list_images


def test_folders_that_only_wrap_another_are_passed_through(tmp_path: Path) -> None:
    write_tiny_set(tmp_path / "archive-1" / "set")
    (tmp_path / "__MACOSX").mkdir()
    assert find_data_folder(tmp_path) == tmp_path / "archive-1" / "set"


def test_a_lone_class_folder_is_no_wrapper(tmp_path: Path) -> None:
    write_image(tmp_path / "cat" / "p1_0.png", 0)
    assert find_data_folder(tmp_path) == tmp_path


def test_files_are_listed_relative_and_sorted_without_clutter(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.png", "a.txt", ".hidden", "b/.DS_Store", "b/Thumbs.db", "phantom.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list_files(tmp_path) == ["a.txt", "b/1.png", "b/2.png"]


def test_what_is_no_image_and_an_empty_folder_are_rejected_with_a_reason(tmp_path: Path) -> None:
    write_tiny_set(tmp_path, 2)
    (tmp_path / "notes.txt").touch()
    (tmp_path / "bird").mkdir()
    images, rejected = list_images(tmp_path)
    assert len(images) == 4
    reasons = dict(zip(rejected["source"], rejected["reason"], strict=True))
    assert set(reasons) == {"notes.txt", "bird/"}
    assert reasons["notes.txt"].startswith("not an image by its name")
    assert reasons["bird/"] == "an empty folder"


def test_folders_are_labels_and_names_tell_patients(tmp_path: Path) -> None:
    write_tiny_set(tmp_path)
    write_image(tmp_path / "cat" / "stray.png", 1)
    write_image(tmp_path / "p9_0.png", 1)
    images, rejected = index_folders(tmp_path, r"(p\d+)_")
    assert len(images) == 12
    row = images.set_index("sample_id").loc["cat/p1_0.png"]
    assert (row["patient_id"], row["source"], row["label"], row["group"]) == (
        "p1",
        "cat/p1_0.png",
        "cat",
        "cat",
    )
    reasons = dict(zip(rejected["source"], rejected["reason"], strict=True))
    assert reasons == {
        "cat/stray.png": "no patient in its name",
        "p9_0.png": "not in a folder that names its label",
    }


@pytest.mark.parametrize("patient", [r"p\d+", lambda name: name.split("_")[0]])
def test_a_patient_may_be_a_whole_match_or_come_from_a_function(tmp_path: Path, patient) -> None:
    write_tiny_set(tmp_path, 3)
    images, _ = index_folders(tmp_path, patient)
    assert sorted(set(images["patient_id"])) == ["p0", "p1", "p2"]
