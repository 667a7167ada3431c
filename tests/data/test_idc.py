"""What the names and folders of the IDC patches tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from mammoscan.data.idc import index_idc
from mammoscan.data.image_dataset import find_image_set

PATCH = "10253/0/10253_idx5_x1001_y1351_class0.png"
TUMOUR = "10253/1/10253_idx5_x1051_y1351_class1.png"


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_name_tells_patient_place_and_label(tmp_path: Path) -> None:
    images, rejected = index_idc(touch(tmp_path, PATCH, TUMOUR))
    assert rejected.empty
    assert images.iloc[1].to_dict() == {
        "sample_id": "10253_idx5_x1051_y1351_class1",
        "patient_id": "10253",
        "source": TUMOUR,
        "label": "idc",
        "group": "idc",
        "x": 1051,
        "y": 1351,
    }
    assert list(images["label"]) == ["no_idc", "idc"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("10253/0/10253_idx5_x1_y1_class1.png", "its name says class 1, its folder 0"),
        ("10254/0/10253_idx5_x1_y1_class0.png", "its name says patient 10253, its folder 10254"),
        ("10253/0/10253_x1_y1_class0.png", "its name is not of the form <patient>_idx5"),
        ("10253/0/10253_idx5_x1_y1_class2.png", "its name is not of the form"),
        ("elsewhere/10253_idx5_x1001_y1351_class0.png", "a second patch at this place"),
        ("readme.txt", "not an image by its name"),
    ],
)
def test_what_contradicts_itself_is_rejected_with_its_reason(tmp_path: Path, name: str, reason: str) -> None:
    images, rejected = index_idc(touch(tmp_path, PATCH, TUMOUR, name))
    assert list(images["source"]) == [PATCH, TUMOUR]
    assert rejected["source"].tolist() == [name]
    assert reason in rejected["reason"].item()


def test_two_labels_for_one_place_reject_both(tmp_path: Path) -> None:
    images, rejected = index_idc(touch(tmp_path, PATCH, "10253/1/10253_idx5_x1001_y1351_class1.png", TUMOUR))
    assert list(images["source"]) == [TUMOUR]
    assert rejected["reason"].unique().tolist() == [
        "two labels for the patch at x 1001, y 1351 of patient 10253"
    ]
    assert len(rejected) == 2


def test_files_without_their_folders_are_understood(tmp_path: Path) -> None:
    images, rejected = index_idc(touch(tmp_path, Path(PATCH).name))
    assert images["patient_id"].tolist() == ["10253"]
    assert rejected.empty


def test_the_set_is_known_by_name_with_its_facts() -> None:
    known = find_image_set("idc")
    assert all((known.address, known.citation, known.licence, known.limits, known.write_phantom))
