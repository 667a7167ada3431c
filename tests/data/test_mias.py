from __future__ import annotations

import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_mias import NOTES, make_pgm

from mammoscan.data.checksums import list_first, read_manifest
from mammoscan.data.mias import list_scans, open_mias, read_notes, read_scan
from mammoscan.errors import MammoscanError
from mammoscan.params import PhantomParams
from mammoscan.records.dataset import DatasetRecord
from records import make_dataset_record

PARAMS = PhantomParams(patients=8, seed=3, workers=1)


def open_set(
    source: Path | str, raw: Path, allow_modified: bool = False, params: PhantomParams = PARAMS
) -> Any:
    return open_mias(str(source), params, allow_modified, 1.0, raw)


def list_state(folder: Path) -> list[tuple[str, int, int]]:
    return sorted((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*"))


def test_the_shipped_manifest_names_all_322_scans() -> None:
    manifest = read_manifest("mias.sha256")
    assert sorted(manifest) == [f"mdb{number:03d}.pgm" for number in range(1, 323)]
    assert all(len(digest) == 64 for digest in manifest.values())
    assert len(set(manifest.values())) == 322


def test_a_published_folder_is_real_and_left_as_it_was(published: Path, tmp_path: Path) -> None:
    before = list_state(published)
    record = open_set(published, tmp_path / "raw")
    assert record.kind == "real"
    assert (record.images, record.patients) == (4, 2)
    assert record.folder == str(published.resolve())
    assert "Suckling" in record.citation
    assert "Licence.txt" in record.licence
    assert DatasetRecord.model_validate_json(record.model_dump_json()) == record
    assert list_state(published) == before
    assert not (tmp_path / "raw").exists()


def test_an_archive_has_the_fingerprint_of_its_folder_wherever_its_files_lie(
    published: Path, tmp_path: Path
) -> None:
    fingerprints = {open_set(published, tmp_path / "raw").fingerprint}
    for inside in ("", "all/mias/"):
        archive = tmp_path / f"set{len(inside)}.zip"
        with zipfile.ZipFile(archive, "w") as bundle:
            for path in published.iterdir():
                bundle.write(path, inside + path.name)
        record = open_set(archive, tmp_path / "raw")
        assert record.kind == "real"
        fingerprints.add(record.fingerprint)
    assert len(fingerprints) == 1


@pytest.mark.parametrize("name", ["Info.txt", "mdb002.pgm"])
def test_the_fingerprint_changes_with_any_scan_or_note(published: Path, tmp_path: Path, name: str) -> None:
    before = open_set(published, tmp_path / "raw").fingerprint
    path = published / name
    path.write_bytes(path.read_bytes() + b"\n")
    assert open_set(published, tmp_path / "raw", allow_modified=True).fingerprint != before


def test_changed_missing_and_unexpected_scans_are_named_and_refused(published: Path, tmp_path: Path) -> None:
    (published / "mdb001.pgm").write_bytes(make_pgm(99))
    (published / "mdb003.pgm").unlink()
    (published / "MDB323.PGM").write_bytes(make_pgm(5))
    with pytest.raises(MammoscanError, match="allow_modified") as caught:
        open_set(published, tmp_path / "raw")
    text = "1 changed: mdb001.pgm; 1 missing: mdb003.pgm; 1 unexpected: mdb323.pgm"
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    record = open_set(published, tmp_path / "raw", allow_modified=True)
    assert record.kind == "modified"
    assert (record.changed, record.missing) == (("mdb001.pgm",), ("mdb003.pgm",))
    assert record.unexpected == ("mdb323.pgm",)
    assert list_scans(record) == ["mdb001.pgm", "mdb002.pgm", "mdb004.pgm", "MDB323.PGM"]


def test_ten_names_are_given_and_the_others_counted() -> None:
    names = [f"mdb{number:03d}.pgm" for number in range(1, 14)]
    assert list_first(names) == ", ".join(names[:10]) + " and 3 more"
    assert list_first(names[:10]) == ", ".join(names[:10])


def test_one_scan_under_two_names_is_refused(published: Path, tmp_path: Path) -> None:
    (published / "mdb0001.pgm").write_bytes(make_pgm(1))
    with pytest.raises(MammoscanError, match=r"holds mdb0001\.pgm and mdb001\.pgm, expected one"):
        open_set(published, tmp_path / "raw")


def test_notes_without_scans_are_refused(tmp_path: Path) -> None:
    (tmp_path / "Info.txt").write_text(NOTES)
    (tmp_path / "mdb001.pgm").mkdir()
    with pytest.raises(MammoscanError, match="no scan, expected files like mdb001"):
        open_set(tmp_path, tmp_path / "raw")


def test_a_file_that_cannot_be_read_is_named(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def refuse(self: Path, *args: Any, **kwargs: Any) -> Any:
        if self.name == "mdb002.pgm":
            raise PermissionError(13, "Permission denied")
        return opened(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(MammoscanError, match=r"mdb002\.pgm cannot be read: Permission denied"):
        open_set(published, tmp_path / "raw")


def test_the_secrets_of_an_address_stay_out_of_the_record(
    published: Path, tmp_path: Path, serve: Callable[[Path], tuple[str, list[str]]]
) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as bundle:
        for path in published.iterdir():
            bundle.write(path, path.name)
    address, _ = serve(tmp_path)
    record = open_set(f"{address}/set.zip?token=sesame", tmp_path / "raw")
    assert record.source == f"{address}/set.zip"
    assert "sesame" not in record.model_dump_json()


@pytest.mark.parametrize("data", [b"\xef\xbb\xbfmdb001 D NORM\r\n", b"mdb001 D NORM\r\n"])
def test_notes_are_read_with_or_without_a_byte_order_mark(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "INFO.TXT").write_bytes(data)
    assert read_notes(make_dataset_record(folder=str(tmp_path))) == "mdb001 D NORM\r\n"


def test_notes_of_any_bytes_are_read(tmp_path: Path) -> None:
    (tmp_path / "Info.txt").write_bytes(bytes(range(256)))
    assert len(read_notes(make_dataset_record(folder=str(tmp_path)))) == 256


def test_scans_are_read_at_the_size_that_coordinates_count(tmp_path: Path) -> None:
    record = make_dataset_record(folder=str(tmp_path))
    (tmp_path / "mdb001.pgm").write_bytes(make_pgm(7, 1024))
    (tmp_path / "mdb002.pgm").write_bytes(make_pgm(7, 512))
    scan = read_scan(record, "mdb001.pgm")
    assert (scan.shape, scan.dtype, int(scan[1000, 3])) == ((1024, 1024), np.uint8, 7)
    with pytest.raises(MammoscanError, match=r"mdb002\.pgm is 512 x 512 pixels, expected 1024 x 1024"):
        read_scan(record, "mdb002.pgm")


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A generator of tiny phantoms that counts its calls."""
    import mammoscan.phantoms

    module = types.ModuleType("mammoscan.phantoms.mias")
    module.calls = []
    module.GENERATOR = 1

    def write_phantom(folder: Path, params: PhantomParams, progress: Callable[[int, int], None]) -> None:
        module.calls.append(folder)
        for number in range(1, 2 * params.patients + 1):
            (folder / f"mdb{number:03d}.pgm").write_bytes(make_pgm(number))
            progress(number, 2 * params.patients)
            if number == getattr(module, "stop_at", None):
                raise KeyboardInterrupt
        (folder / "Info.txt").write_text(NOTES)

    module.write_phantom = write_phantom
    monkeypatch.setitem(sys.modules, "mammoscan.phantoms.mias", module)
    monkeypatch.setattr(mammoscan.phantoms, "mias", module, raising=False)
    return module


def test_the_phantom_is_made_once_and_says_what_it_is(generator: Any, tmp_path: Path) -> None:
    record = open_set("phantom", tmp_path)
    assert record.kind == "phantom"
    assert (record.images, record.patients) == (16, 8)
    assert "synthetic" in record.citation
    assert "Suckling" not in record.model_dump_json()
    assert Path(record.folder).name == "phantom-8-3"
    assert open_set("phantom", tmp_path) == record
    assert len(generator.calls) == 1


def test_other_parameters_make_another_phantom_but_workers_do_not(generator: Any, tmp_path: Path) -> None:
    first = open_set("phantom", tmp_path)
    more = PARAMS.model_copy(update={"workers": 2})
    assert open_set("phantom", tmp_path, params=more).folder == first.folder
    other = PARAMS.model_copy(update={"seed": 4})
    assert open_set("phantom", tmp_path, params=other).folder != first.folder
    assert len(generator.calls) == 2


def test_an_interrupted_phantom_is_made_anew(generator: Any, tmp_path: Path) -> None:
    generator.stop_at = 5
    with pytest.raises(KeyboardInterrupt):
        open_set("phantom", tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []
    generator.stop_at = None
    assert open_set("phantom", tmp_path).images == 16


def test_a_phantom_that_lost_a_scan_or_came_from_an_older_generator_is_made_anew(
    generator: Any, tmp_path: Path
) -> None:
    folder = Path(open_set("phantom", tmp_path).folder)
    (folder / "mdb001.pgm").unlink()
    assert open_set("phantom", tmp_path).images == 16
    generator.GENERATOR = 2
    open_set("phantom", tmp_path)
    assert len(generator.calls) == 3
    (folder / "phantom.json").write_text("[half")
    open_set("phantom", tmp_path)
    assert len(generator.calls) == 4


def test_a_phantom_given_as_a_folder_stays_a_phantom(generator: Any, tmp_path: Path) -> None:
    made = open_set("phantom", tmp_path)
    again = open_set(made.folder, tmp_path)
    assert again.kind == "phantom"
    assert again.fingerprint == made.fingerprint
    Path(made.folder, "mdb002.pgm").unlink()
    with pytest.raises(MammoscanError, match="holds 15 scans, expected 16"):
        open_set(made.folder, tmp_path)
