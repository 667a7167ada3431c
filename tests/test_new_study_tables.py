"""Tables and folders as people have them: what ``mammoscan new`` makes of each."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mammoscan import new_study
from mammoscan.errors import MammoscanError
from mammoscan.new_study import Findings, Wishes, examine_images

COUNTS = {"normal": (8, 4), "tumour": (8, 4)}


@pytest.fixture(autouse=True)
def no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine's speed says nothing here and takes time."""
    monkeypatch.setattr(new_study, "_measure_speed", lambda: 1e10)


@pytest.fixture
def rows(tmp_path: Path) -> pd.DataFrame:
    """Write 16 images of 8 patients into ``images``; return their table."""
    rng = np.random.default_rng(0)
    found = []
    (tmp_path / "images").mkdir()
    for number in range(16):
        Image.fromarray(rng.integers(0, 256, (16, 16), dtype=np.uint8)).save(
            tmp_path / f"images/im_{number}.png"
        )
        found.append(
            (f"images/im_{number}.png", ("normal", "tumour")[number % 2], number // 4 * 2 + number % 2)
        )
    return pd.DataFrame(found, columns=["path", "label", "patient_id"])


def examine(table: Path, **words: str) -> Findings:
    return examine_images(Wishes(name="lungs", table=str(table), **words), table.parent)


CHANGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "paths of Windows": lambda rows: rows.assign(path="C:\\films\\" + rows["path"].str.replace("/", "\\")),
    "paths of another machine": lambda rows: rows.assign(path="/home/other/" + rows["path"]),
    "names without suffix": lambda rows: rows.assign(path=[Path(path).stem for path in rows["path"]]),
    "patients as 12.0": lambda rows: rows.assign(patient_id=rows["patient_id"].astype(float)),
    "patients as 12 and 12.0": lambda rows: rows.assign(
        patient_id=[f"{value}.0" if number % 3 else value for number, value in rows["patient_id"].items()]
    ),
    "labels with blanks around": lambda rows: rows.assign(label=[f" {label} " for label in rows["label"]]),
    "labels in any capitals": lambda rows: rows.assign(
        label=[label.upper() if number > 11 else label for number, label in rows["label"].items()]
    ),
    "columns as Kaggle names them": lambda rows: rows.set_axis(
        ["Image Index", "Finding Labels", "Patient ID"], axis=1
    ),
    "a column of row numbers": lambda rows: rows.reset_index(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_table_is_understood_as_people_write_it(
    rows: pd.DataFrame, tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    change(rows).to_csv(tmp_path / "labels.csv", index=False)
    found = examine(tmp_path / "labels.csv")
    assert found.counts == COUNTS
    assert found.positive == "tumour"


@pytest.mark.parametrize(
    ("encoding", "separator"), [("utf-8-sig", ";"), ("utf-16", "\t"), ("cp1252", ";"), ("utf-8", ",")]
)
def test_a_csv_is_read_in_the_encodings_of_spreadsheets(
    rows: pd.DataFrame, tmp_path: Path, encoding: str, separator: str
) -> None:
    rows["label"] = rows["label"].replace("tumour", "größer")
    rows.to_csv(tmp_path / "labels.csv", index=False, encoding=encoding, sep=separator)
    assert set(examine(tmp_path / "labels.csv").counts) == {"normal", "größer"}


@pytest.mark.parametrize(
    ("values", "positive"),
    [(("0.0", "1.0"), "1"), ((False, True), "True"), (("0", "1"), "1"), (("no", "yes"), "yes")],
)
def test_labels_may_be_numbers_and_booleans(
    rows: pd.DataFrame, tmp_path: Path, values: tuple[object, object], positive: str
) -> None:
    rows["label"] = [values[label == "tumour"] for label in rows["label"]]
    rows.to_csv(tmp_path / "labels.csv", index=False)
    assert examine(tmp_path / "labels.csv").positive == positive


def test_missing_values_are_left_out_with_their_reason(rows: pd.DataFrame, tmp_path: Path) -> None:
    rows["label"] = rows["label"].where(rows.index != 0, "NA").where(rows.index != 1, "nan")
    rows["patient_id"] = rows["patient_id"].astype(object).where(rows.index != 2, None)
    rows.to_csv(tmp_path / "labels.csv", index=False)
    found = examine(tmp_path / "labels.csv")
    assert found.counts == {"normal": (6, 3), "tumour": (7, 4)}
    reasons = dict(zip(found.index.rejected["source"], found.index.rejected["reason"], strict=True))
    assert reasons["images/im_0.png"] == "no label: the column label is empty"
    assert reasons["images/im_2.png"] == "no patient: the column patient_id is empty"


@pytest.mark.parametrize("prefix", ["", "../"])
def test_a_table_in_a_folder_beside_the_images_finds_them(
    rows: pd.DataFrame, tmp_path: Path, prefix: str
) -> None:
    (tmp_path / "meta").mkdir()
    rows.assign(path=prefix + rows["path"]).to_csv(tmp_path / "meta" / "labels.csv", index=False)
    assert examine(tmp_path / "meta" / "labels.csv").counts == COUNTS


def test_a_table_far_from_its_images_names_the_option(rows: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "far" / "away" / "in" / "there").mkdir(parents=True)
    rows.to_csv(tmp_path / "far/away/in/there/labels.csv", index=False)
    with pytest.raises(MammoscanError, match=r"holds no image file; .*; --images names the folder"):
        examine(tmp_path / "far/away/in/there/labels.csv")


@pytest.mark.parametrize("content", [b"", bytes(range(256)) * 9, b"path,label\nimages/im_0.png,a,b,c\n"])
def test_what_is_no_table_is_one_line(rows: pd.DataFrame, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(MammoscanError) as caught:
        examine(tmp_path / "labels.csv")
    assert "\n" not in caught.value.message


def write_tree(rows: pd.DataFrame, folder: Path, names: dict[str, str]) -> Path:
    for path, label in zip(rows["path"], rows["label"], strict=True):
        (folder / "in" / names[label]).mkdir(parents=True, exist_ok=True)
        (folder / path).rename(folder / "in" / names[label] / f"ä {Path(path).stem} '.PNG")
    return folder / "in"


def test_a_tree_with_odd_names_and_clutter(rows: pd.DataFrame, tmp_path: Path) -> None:
    home = write_tree(rows, tmp_path, {"normal": "kein Befund", "tumour": "größer"})
    (home / "größer" / "Thumbs.db").write_bytes(b"x")
    (home / ".DS_Store").write_bytes(b"x")
    (home / "__MACOSX").mkdir()
    (home / "__MACOSX" / "._a.png").write_bytes(b"x")
    (home / "nothing").mkdir()
    (home / "größer" / "empty.png").touch()
    (home / "größer" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    Path(os.fsdecode(os.fsencode(home / "größer") + b"/\xff.png")).write_bytes(b"x")
    found = examine_images(Wishes(name="lungs", images=str(home), patient_from="unknown"), tmp_path)
    assert found.counts == {"kein Befund": (8, 8), "größer": (8, 8)}
    assert dict(zip(found.index.rejected["source"], found.index.rejected["reason"], strict=True)) == {
        "nothing/": "an empty folder",
        "größer/empty.png": "an empty file",
        "größer/gone.png": "cannot be read: No such file or directory",
        "größer/\\udcff.png": "its name is no UTF-8: rename it",
    }


def test_labels_in_file_names_are_shown_with_the_option(rows: pd.DataFrame, tmp_path: Path) -> None:
    for number, label in enumerate(rows["label"]):
        (tmp_path / "images" / f"im_{number}.png").rename(tmp_path / "images" / f"{label}_{number}.png")
    wishes = Wishes(name="lungs", images=str(tmp_path / "images"), patient_from="unknown")
    with pytest.raises(
        MammoscanError, match=r"--label-from 'path:.*' finds normal \(8\), tumour \(8\) in the"
    ):
        examine_images(wishes, tmp_path)
