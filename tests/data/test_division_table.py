"""Tables that divide images into sides, as people have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from image_folders import write_image

from mammoscan.data.division_table import open_division
from mammoscan.errors import MammoscanError
from mammoscan.params import AuditParams


def make_table(folder: Path, **change: Any) -> Path:
    names = [f"{number}.png" for number in range(4)]
    for number, name in enumerate(names):
        write_image(folder / "films" / name, number)
    rows = {
        "path": [f"films/{name}" for name in names],
        "side": ["train", "Training", "valid", "TEST"],
        "patient_id": ["a", "b", "c", "d"],
    }
    pd.DataFrame(rows | change).to_csv(folder / "split.csv", index=False)
    return folder / "split.csv"


def test_sides_are_known_in_any_usual_spelling(tmp_path: Path) -> None:
    record, division = open_division(AuditParams(table=str(make_table(tmp_path))))
    assert division["role"].tolist() == ["train", "train", "validation", "test"]
    assert (record.images, record.patients, record.patients_known) == (4, 4, True)


def test_numbers_are_folds(tmp_path: Path) -> None:
    file = make_table(tmp_path, side=["1", "2", "1", ""])
    _, division = open_division(AuditParams(table=str(file), patient=None))
    assert division["role"].tolist() == ["fold_0", "fold_1", "fold_0", "out"]


def test_a_file_that_is_missing_or_listed_twice_is_a_line_of_its_own(tmp_path: Path) -> None:
    file = make_table(tmp_path, path=["films/0.png", "films/0.png", "films/9.png", "films/3.png"])
    _, division = open_division(AuditParams(table=str(file)))
    assert division["sample_id"].tolist() == [
        "films/0.png",
        "films/0.png (line 3)",
        "films/9.png",
        "films/3.png",
    ]
    assert division["source"].tolist() == ["films/0.png", "films/0.png", "", "films/3.png"]


@pytest.mark.parametrize(
    ("change", "wishes", "line"),
    [
        ({}, {"side": "set"}, r"no column 'set'; found path, side, patient_id; expected audit.side"),
        ({}, {"patient": "person"}, r"no column 'person'; .*audit.patient .*null where patients are unknown"),
        ({}, {"images": "/nowhere"}, r"audit.images is /nowhere: there is no such folder"),
        ({"side": ["a", "b", "c", "d"]}, {}, r"column side holds a, b, c, d, expected train, val and test"),
        ({"side": ["train"] * 4}, {}, r"column side holds train, expected train and test at least"),
        ({"patient_id": ["a", "", "c", "d"]}, {}, r"line 3: column patient_id is empty"),
        (
            {"path": ["w", "x", "y", "z"]},
            {},
            r"none of its 4 images is in .*the first is 'w'; .*audit.images",
        ),
    ],
)
def test_what_cannot_be_used_is_one_line(
    tmp_path: Path, change: dict[str, Any], wishes: dict[str, Any], line: str
) -> None:
    file = make_table(tmp_path, **change)
    with pytest.raises(MammoscanError, match=line) as error:
        open_division(AuditParams.model_validate({"table": str(file), **wishes}))
    assert "\n" not in str(error.value)


def test_a_table_that_is_not_named_is_one_line() -> None:
    with pytest.raises(MammoscanError, match=r"audit.table: found nothing, expected a table"):
        open_division(AuditParams())
