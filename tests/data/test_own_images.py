from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from image_folders import write_image

from mammoscan.data.own_images import PATIENTS_UNKNOWN, index_own_images, open_own_images
from mammoscan.errors import MammoscanError
from mammoscan.params import ImagesParams
from pictures import encode_dicom


def index(home: Path, **words: object):
    given = {"source": str(home), "label_from": "folder", "patient_from": "unknown"} | words
    return index_own_images("films", home, ImagesParams(**given))


def reasons(found) -> dict[str, str]:
    return dict(zip(found.rejected["source"], found.rejected["reason"], strict=True))


def write_films(home: Path) -> None:
    for patient in range(4):
        for number in range(2):
            label = "ill" if patient % 2 else "well"
            write_image(home / label / f"p{patient}_{number}.png", 10 * patient + number)


def test_folders_are_labels_and_paths_name_patients(tmp_path: Path) -> None:
    write_films(tmp_path)
    write_image(tmp_path / "ill" / "lost.png", 99)
    found = index(tmp_path, patient_from=r"path:(p\d+)_")
    assert found.images["patient_id"].nunique() == 4
    assert set(found.images["label"]) == {"ill", "well"}
    assert reasons(found) == {"ill/lost.png": r"no patient: its path does not match (p\d+)_"}


def test_unknown_patients_leave_every_image_its_own_and_are_said(tmp_path: Path) -> None:
    write_films(tmp_path)
    params = ImagesParams(source=str(tmp_path), patient_from="unknown")
    record = open_own_images("films", params, tmp_path / "raw")
    assert (record.images, record.patients_known, record.limits) == (8, False, (PATIENTS_UNKNOWN,))
    assert not record.verified


def test_the_label_may_be_a_folder_further_up_and_a_patient_the_one_between(tmp_path: Path) -> None:
    write_image(tmp_path / "ill" / "smith" / "a.png", 1)
    write_image(tmp_path / "well" / "jones" / "a.png", 2)
    images = index(tmp_path, label_from="folder:2", patient_from="folder").images
    assert list(zip(images["label"], images["patient_id"], strict=True)) == [
        ("ill", "smith"),
        ("well", "jones"),
    ]


def test_a_doubled_folder_is_found_by_content_and_one_is_kept(tmp_path: Path) -> None:
    write_films(tmp_path / "chest_xray")
    shutil.copytree(tmp_path / "chest_xray", tmp_path / "copy")
    shutil.move(tmp_path / "copy", tmp_path / "chest_xray" / "chest_xray")
    found = index(tmp_path / "chest_xray")
    assert (len(found.images), found.copies) == (8, 8)
    assert reasons(found)["chest_xray/ill/p1_0.png"] == "an exact copy of ill/p1_0.png, which is kept"


def test_copies_with_two_labels_are_left_for_the_packing_to_reject(tmp_path: Path) -> None:
    write_image(tmp_path / "ill" / "a.png", 1)
    write_image(tmp_path / "well" / "b.png", 1)
    found = index(tmp_path)
    assert (len(found.images), found.copies) == (2, 0)


def test_clutter_is_left_out_and_linked_folders_are_followed_once(tmp_path: Path) -> None:
    write_films(tmp_path / "films")
    (tmp_path / "films" / ".DS_Store").write_bytes(b"x")
    write_image(tmp_path / "films" / "__MACOSX" / "ill" / "._p1_0.png", 5)
    write_image(tmp_path / "elsewhere" / "q1_0.png", 77)
    (tmp_path / "films" / "ill" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "films" / "loop").symlink_to(tmp_path / "films")
    found = index(tmp_path / "films", label_from="path:(ill|well)/")
    assert len(found.images) == 9
    assert "ill/more/q1_0.png" in set(found.images["source"])
    assert found.rejected.empty


def test_published_parts_are_noted_by_any_of_their_names(tmp_path: Path) -> None:
    for seed, part in enumerate(("train", "valid", "Testing")):
        write_image(tmp_path / part / "ill" / f"{part}.png", seed)
    assert sorted(index(tmp_path).images["published"]) == ["test", "train", "val"]


def write_table(folder: Path, table: pd.DataFrame, suffix: str) -> str:
    name = f"labels{suffix}"
    if suffix == ".parquet":
        table.to_parquet(folder / name)
    elif suffix == ".xlsx":
        table.to_excel(folder / name, index=False)
    elif suffix == ".jsonl":
        table.to_json(folder / name, orient="records", lines=True)
    else:
        table.to_csv(folder / name, index=False, sep={".tsv": "\t", ".semicolon.csv": ";"}.get(suffix, ","))
    return name


@pytest.mark.parametrize("suffix", [".csv", ".semicolon.csv", ".tsv", ".parquet", ".xlsx", ".jsonl"])
def test_a_table_names_files_labels_and_patients(tmp_path: Path, suffix: str) -> None:
    write_films(tmp_path)
    rows = [
        {
            "path": f"{'ill' if patient % 2 else 'well'}/p{patient}_{number}.png",
            "finding": patient % 2,
            "who": patient,
        }
        for patient in range(4)
        for number in range(2)
    ]
    rows[0]["who"] = None
    name = write_table(tmp_path, pd.DataFrame(rows).astype({"who": "Int64"}), suffix)
    found = index(tmp_path, table=name, label_from="column:finding", patient_from="column:who")
    assert len(found.images) == 7
    assert set(found.images["label"]) == {"0", "1"}
    assert set(found.images["patient_id"]) == {"0", "1", "2", "3"}
    assert reasons(found) == {"well/p0_0.png": "no patient: the column who is empty"}


def test_every_row_and_file_that_is_left_out_has_a_reason(tmp_path: Path) -> None:
    write_films(tmp_path)
    rows = [
        ("well/p0_0.png", "well", "0"),
        ("well/p0_1.png", "", "0"),
        ("well/p2_0.png", "well", "2"),
        ("well/p2_0.png", "ill", "2"),
        ("ill/p1_0.png", "ill", "1"),
        ("ill/p1_0.png", "ill", "1"),
        ("gone.png", "ill", "9"),
    ]
    pd.DataFrame(rows, columns=["path", "label", "patient_id"]).to_csv(tmp_path / "labels.csv", index=False)
    found = index(tmp_path, table="labels.csv", label_from="column:label", patient_from="column:patient_id")
    assert list(found.images["source"]) == ["well/p0_0.png", "ill/p1_0.png"]
    assert reasons(found) == {
        "well/p0_1.png": "no label: the column label is empty",
        "well/p2_0.png": "two rows of labels.csv contradict each other",
        "ill/p1_0.png": "stands twice in labels.csv; one row is kept",
        "gone.png": "line 8 of labels.csv: no such file",
        "ill/p1_1.png": "not in the table labels.csv",
        "ill/p3_0.png": "not in the table labels.csv",
        "ill/p3_1.png": "not in the table labels.csv",
        "well/p2_1.png": "not in the table labels.csv",
    }


def test_a_hugging_face_image_folder_has_a_table_in_each_part(tmp_path: Path) -> None:
    for seed, part in enumerate(("train", "test")):
        write_image(tmp_path / part / "0001.png", seed)
        (tmp_path / part / "metadata.csv").write_text(f"file_name,label\n0001.png,{'ab'[seed]}\n")
    found = index(tmp_path, table="metadata.csv", image_column="file_name", label_from="column:label")
    images = found.images[["source", "label", "published"]]
    assert list(images.itertuples(index=False, name=None)) == [
        ("test/0001.png", "b", "test"),
        ("train/0001.png", "a", "train"),
    ]


def test_dicom_tags_are_labels_and_patients_also_of_files_without_a_suffix(tmp_path: Path) -> None:
    for number in range(3):
        write_dicom(tmp_path / "study" / f"IM{number:06d}", f"P{number // 2}", "MG" if number else "CR")
    found = index(tmp_path, label_from="tag:Modality", patient_from="tag:0010,0020")
    assert list(found.images["label"]) == ["CR", "MG", "MG"]
    assert list(found.images["patient_id"]) == ["P0", "P0", "P1"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"table": "gone.csv"}, r"films\.images\.table is 'gone\.csv': nothing there"),
        ({"patient_from": "folder:9"}, "holds no image with a label"),
        ({"label_from": "tag:NoSuchTag"}, "there is no such DICOM tag; expected a keyword"),
    ],
)
def test_what_cannot_be_indexed_is_one_line(tmp_path: Path, words: dict[str, str], message: str) -> None:
    write_films(tmp_path)
    with pytest.raises(MammoscanError, match=message):
        index(tmp_path, **words)


@pytest.mark.parametrize(
    "words",
    [
        {"patient_from": "name"},
        {"patient_from": "path:(p"},
        {"label_from": "folder:0"},
        {"label_from": "column:finding"},
        {"label_from": "unknown"},
    ],
)
def test_ways_are_checked_before_anything_is_read(words: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="is '"):
        ImagesParams(**({"source": "x", "patient_from": "unknown"} | words))


def write_dicom(path: Path, patient: str, modality: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(path.name)).integers(0, 256, (8, 8), dtype=np.uint8)
    path.write_bytes(
        encode_dicom(pixels, PatientID=patient, Modality=modality, InstanceNumber=str(int(path.name[2:])))
    )
