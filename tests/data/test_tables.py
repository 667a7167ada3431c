from __future__ import annotations

from pathlib import Path

import pytest
from image_folders import write_image

from mammoscan.data.tables import index_table
from mammoscan.errors import MammoscanError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b", "c", "d", "e"):
        write_image(tmp_path / "images" / f"{name}.png", 0)
    return tmp_path


def write_table(folder: Path, *lines: str, name: str = "dataset.csv") -> str:
    (folder / name).write_text("\n".join(("path,label", *lines)) + "\n")
    return name


def test_every_row_ends_among_the_images_or_with_a_reason(folder: Path) -> None:
    table = write_table(
        folder,
        "images/a.png,ill",
        "images/b.png,well",
        "images/b.png,ill",
        "images/lost.png,ill",
        "images/c.png,well",
        "images/c.png,well",
        "images/d.png,",
    )
    images, rejected = index_table(folder, table)
    assert dict(zip(images["source"], images["label"], strict=True)) == {
        "images/a.png": "ill",
        "images/c.png": "well",
    }
    assert list(rejected.itertuples(index=False, name=None)) == [
        ("images/b.png", "two labels for one file in dataset.csv: ill, well"),
        ("images/b.png", "two labels for one file in dataset.csv: ill, well"),
        ("images/lost.png", "line 5 of dataset.csv names it, but there is no such file"),
        ("images/c.png", "stands twice in dataset.csv (line 7); one of them is kept"),
        ("images/d.png", "no label in line 8 of dataset.csv"),
    ]


def test_paths_count_from_the_folder_from_the_table_or_by_their_last_part(folder: Path) -> None:
    (folder / "tables").mkdir()
    table = write_table(
        folder, "images\\a.png,x", "../images/b.png,x", "/kaggle/input/set/c.png,x", name="tables/labels.csv"
    )
    images, rejected = index_table(folder, table)
    assert list(images["source"]) == ["images/a.png", "images/b.png", "images/c.png"]
    assert rejected.empty


def test_a_table_without_its_columns_or_that_is_none_is_refused(folder: Path) -> None:
    (folder / "dataset.csv").write_text("file,label\na.png,x\n")
    with pytest.raises(MammoscanError, match=r"has columns \['file', 'label'\], expected path and label"):
        index_table(folder, "dataset.csv")
    with pytest.raises(MammoscanError, match="is no readable table"):
        index_table(folder, "missing.csv")
