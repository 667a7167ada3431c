from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mammoscan.data.locate import find_named_file, locate_source
from mammoscan.errors import MammoscanError

Serve = Callable[[Path], tuple[str, list[str]]]


def write_zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("inner/Info.txt", "notes")
    return path


def test_a_folder_is_taken_in_place(tmp_path: Path) -> None:
    assert locate_source("mias.source", str(tmp_path), tmp_path / "raw", 1.0) == tmp_path.resolve()
    assert not (tmp_path / "raw").exists()


def test_an_archive_on_disk_is_unpacked_under_the_raw_folder(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "SET.ZIP")
    found = locate_source("mias.source", str(archive), tmp_path / "raw", 1.0)
    assert found.parent == tmp_path / "raw"
    assert find_named_file(found, "info.TXT").read_text() == "notes"


def test_an_address_is_downloaded_and_unpacked(tmp_path: Path, serve: Serve) -> None:
    write_zip(tmp_path / "set.zip")
    address, asked = serve(tmp_path)
    first = locate_source("mias.source", f"{address}/set.zip", tmp_path / "raw", 1.0)
    assert find_named_file(first, "Info.txt").read_text() == "notes"
    assert locate_source("mias.source", f"{address}/set.zip", tmp_path / "raw", 1.0) == first
    assert len(asked) == 1


def test_a_downloaded_page_that_is_no_archive_is_not_found_again(tmp_path: Path, serve: Serve) -> None:
    (tmp_path / "set.zip").write_text("<html>busy</html>" * 100)
    address, _ = serve(tmp_path)
    with pytest.raises(MammoscanError, match="not a whole archive"):
        locate_source("mias.source", f"{address}/set.zip", tmp_path / "raw", 1.0)
    write_zip(tmp_path / "set.zip")
    assert locate_source("mias.source", f"{address}/set.zip", tmp_path / "raw", 1.0).is_dir()


@pytest.mark.parametrize(("name", "found"), [("nowhere", "nothing there"), ("set.rar", "ends in '.rar'")])
def test_anything_else_is_refused_by_the_parameters_name(tmp_path: Path, name: str, found: str) -> None:
    (tmp_path / "set.rar").touch()
    with pytest.raises(MammoscanError, match=f"mias.source is .*{found}; expected phantom, a folder"):
        locate_source("mias.source", str(tmp_path / name), tmp_path / "raw", 1.0)


def test_hidden_folders_and_deep_ones_are_passed_over(tmp_path: Path) -> None:
    for place in (".cache", "__MACOSX", "a/b/c/d"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "Info.txt").touch()
    with pytest.raises(MammoscanError, match=r"holds no Info\.txt"):
        find_named_file(tmp_path, "Info.txt")
    (tmp_path / "a" / "b" / "info.TXT").touch()
    assert find_named_file(tmp_path, "Info.txt") == tmp_path / "a" / "b" / "info.TXT"


def test_several_holders_are_named(tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "Info.txt").touch()
    with pytest.raises(MammoscanError, match=r"2 files Info\.txt \(one/Info\.txt, two/Info\.txt\)"):
        find_named_file(tmp_path, "Info.txt")
