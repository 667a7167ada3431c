"""What the names and folders of BreaKHis tell, with and without its table of 400X images."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from mammoscan.data.breakhis import index_breakhis, index_listed, list_dataset
from mammoscan.data.image_dataset import find_image_set
from mammoscan.errors import MammoscanError

PLAIN = "benign/SOB/adenosis/SOB_B_A_14-22549AB/40X/SOB_B_A-14-22549AB-40-011.png"
TWIN = "benign/SOB/adenosis/SOB_B_A_14-22549CD/400X/SOB_B_A-14-22549CD-400-002.png"
CANCER = "malignant/SOB/lobular_carcinoma/SOB_M_LC_14-13412/400X/SOB_M_LC-14-13412-400-007.png"
MIXED = "malignant/SOB/ductal_carcinoma/SOB_M_DC_14-13412/400X/SOB_M_DC-14-13412-400-001.png"


def touch(folder: Path, *names: str) -> Path:
    """Make empty files: an index decodes nothing."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def find_reasons(rejected: pd.DataFrame) -> dict[str, str]:
    return dict(zip(rejected["source"], rejected["reason"], strict=True))


class TestTree:
    def test_a_name_tells_label_type_year_slide_magnification_and_number(self, tmp_path: Path) -> None:
        images, rejected = index_breakhis(touch(tmp_path, PLAIN))
        assert images.to_dict("records") == [
            {
                "sample_id": "SOB_B_A-14-22549AB-40-011",
                "patient_id": "22549",
                "source": PLAIN,
                "label": "benign",
                "group": "adenosis",
                "slide": "22549AB",
                "year": "14",
                "magnification": "40",
                "sequence": "011",
            }
        ]
        assert rejected.empty

    def test_slides_and_tumour_types_of_one_number_are_one_patient(self, tmp_path: Path) -> None:
        images, _ = index_breakhis(touch(tmp_path, PLAIN, TWIN, CANCER, MIXED))
        assert images.groupby("patient_id")["slide"].agg(set).to_dict() == {
            "22549": {"22549AB", "22549CD"},
            "13412": {"13412"},
        }
        assert set(images.loc[images["patient_id"] == "13412", "group"]) == {
            "ductal_carcinoma",
            "lobular_carcinoma",
        }

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("benign/SOB_X_A-14-1-40-011.png", "its name is not of the form SOB_<B or M>"),
            ("benign/SOB_B_A-14-22549AB-50-011.png", "its name is not of the form"),
            ("benign/SOB_B_ZZ-14-22549AB-40-011.png", "tumour type 'ZZ'"),
            ("SOB_B_DC-14-22549AB-40-011.png", "its name calls ductal carcinoma benign"),
            ("malignant/SOB_B_A-14-22549AB-40-011.png", "its name says benign, its folder malignant"),
            ("40X/SOB_B_A-14-22549AB-100-011.png", "its name says magnification 100, its folder 40X"),
            ("adenosis/SOB_B_F-14-22549AB-40-011.png", "its name says fibroadenoma, its folder adenosis"),
            ("SOB_B_A-14-22549AB-40-011.jpg", "its name is not of the form"),
            ("notes.txt", "not an image by its name"),
        ],
    )
    def test_what_cannot_be_placed_is_rejected_with_its_reason(
        self, tmp_path: Path, name: str, reason: str
    ) -> None:
        images, rejected = index_breakhis(touch(tmp_path, name, CANCER))
        assert list(images["source"]) == [CANCER]
        assert reason in find_reasons(rejected)[name]

    def test_a_second_file_of_the_same_name_is_rejected(self, tmp_path: Path) -> None:
        copy = f"copy/{Path(PLAIN).name}"
        images, rejected = index_breakhis(touch(tmp_path, PLAIN, copy))
        assert list(images["source"]) == [PLAIN]
        assert find_reasons(rejected) == {copy: f"a second file of this name: {PLAIN} is kept"}


class TestTable:
    def write(self, folder: Path, *rows: str) -> Path:
        touch(folder, PLAIN, TWIN, CANCER, MIXED)
        (folder / "dataset.csv").write_text("\n".join(["path,label", *rows]) + "\n")
        return folder

    def test_only_what_the_table_lists_is_in_the_set(self, tmp_path: Path) -> None:
        images, rejected = index_listed(self.write(tmp_path, f"{TWIN},benign", f"{CANCER},malignant"))
        assert list(images["source"]) == [TWIN, CANCER]
        assert list(images["patient_id"]) == ["22549", "13412"]
        assert rejected.empty

    def test_a_path_of_another_machine_and_another_spelling_are_understood(self, tmp_path: Path) -> None:
        folder = self.write(tmp_path, f"/content/x/{Path(TWIN).name},0", f"{CANCER},M")
        images, _ = index_listed(folder)
        assert dict(zip(images["source"], images["label"], strict=True)) == {
            TWIN: "benign",
            CANCER: "malignant",
        }

    def test_bad_rows_are_rejected_with_their_reasons(self, tmp_path: Path) -> None:
        folder = self.write(
            tmp_path,
            "gone/SOB_B_A-14-1-400-001.png,benign",
            f"{TWIN},benign",
            f"{TWIN},malignant",
            f"{CANCER},benign",
            f"{MIXED},unclear",
            f"{PLAIN},benign",
        )
        images, rejected = index_listed(folder)
        assert list(images["source"]) == [PLAIN]
        reasons = find_reasons(rejected)
        assert "no such file" in reasons["gone/SOB_B_A-14-1-400-001.png"]
        assert "two labels for one file" in reasons[TWIN]
        assert reasons[CANCER] == "its name says malignant, dataset.csv says benign"
        assert "calls it 'unclear'" in reasons[MIXED]

    def test_without_a_table_the_plain_tree_is_the_set_and_gives_one(self, tmp_path: Path) -> None:
        images, _ = index_listed(touch(tmp_path, PLAIN, CANCER))
        assert list_dataset(images).to_dict("records") == [
            {"path": PLAIN, "label": "benign"},
            {"path": CANCER, "label": "malignant"},
        ]
        list_dataset(images).to_csv(tmp_path / "dataset.csv", index=False)
        again, rejected = index_listed(tmp_path)
        pd.testing.assert_frame_equal(again, images)
        assert rejected.empty

    def test_two_tables_are_an_error(self, tmp_path: Path) -> None:
        folder = self.write(tmp_path, f"{TWIN},benign")
        touch(folder, "other/dataset.csv")
        with pytest.raises(MammoscanError, match=r"holds 2 files dataset\.csv"):
            index_listed(folder)


@pytest.mark.parametrize("name", ["breakhis", "breakhis_400x"])
def test_both_are_known_by_name_with_their_facts(name: str) -> None:
    known = find_image_set(name)
    assert known.name == name
    assert all((known.address, known.citation, known.licence, known.limits, known.write_phantom))
