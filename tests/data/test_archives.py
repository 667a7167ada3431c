from __future__ import annotations

import gzip
import io
import os
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from mammoscan.data import archives
from mammoscan.data.archives import BrokenArchiveError, unpack_archive
from mammoscan.data.atomic_folder import STALE_SECONDS, stage_folder
from mammoscan.errors import MammoscanError

FILES = {"set/a.txt": b"first", "set/deep/b.bin": bytes(range(256)) * 40, "c": b""}


def add_file(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def write_archive(path: Path, files: dict[str, bytes] = FILES) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
            bundle.writestr("set/", b"")
            for name, data in files.items():
                bundle.writestr(name, data)
        return path
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as tar:
        folder = tarfile.TarInfo("./")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in files.items():
            add_file(tar, name, data)
    return path


def read_tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def expect_nothing_kept(archive: Path, folder: Path, match: str, limit_gb: float = 1.0) -> None:
    with pytest.raises(MammoscanError, match=match) as caught:
        unpack_archive(archive, folder, limit_gb)
    assert archive.name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["x.tar.gz", "x.tgz", "x.tar", "x.zip"])
def test_every_kind_unpacks_whole_and_the_archive_stays_as_it_was(tmp_path: Path, name: str) -> None:
    archive = write_archive(tmp_path / name)
    before = archive.read_bytes()
    archive.chmod(0o444)
    unpacked = unpack_archive(archive, tmp_path / "out", 1.0)
    assert read_tree(unpacked) == FILES
    assert unpacked.name.startswith("x-")
    assert archive.read_bytes() == before


def test_unpacking_again_reuses_what_is_there_and_another_content_gets_another_folder(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "x.zip")
    first = unpack_archive(archive, tmp_path / "out", 1.0)
    (first / "seen").touch()
    assert unpack_archive(archive, tmp_path / "out", 1.0) == first
    assert (first / "seen").exists()
    write_archive(archive, {"other": b"1"})
    assert unpack_archive(archive, tmp_path / "out", 1.0) != first


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar", ".zip"])
@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "C:/x", "\\x", "a\\..\\..\\x"])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, suffix: str, name: str) -> None:
    archive = write_archive(tmp_path / f"bad{suffix}", {"good": b"1", name: b"evil"})
    expect_nothing_kept(archive, tmp_path / "out", "absolute path|leads out")
    assert sorted(p.name for p in tmp_path.iterdir()) == [archive.name, "out"]


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "a special file"),
        (tarfile.BLKTYPE, "a special file"),
        (tarfile.FIFOTYPE, "a special file"),
        (b"Z", "a special file|whole archive"),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes, match: str) -> None:
    archive = tmp_path / "bad.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        add_file(tar, "good", b"1")
        entry = tarfile.TarInfo("bad")
        entry.type, entry.linkname = kind, "good"
        # Written by hand, because tarfile would write an unknown kind as a file.
        tar.fileobj.write(entry.tobuf())
        tar.offset += tarfile.BLOCKSIZE
    expect_nothing_kept(archive, tmp_path / "out", match)


def test_an_outward_folder_is_refused_too(tmp_path: Path) -> None:
    archive = tmp_path / "bad.tar"
    with tarfile.open(archive, "w") as tar:
        entry = tarfile.TarInfo("../made")
        entry.type = tarfile.DIRTYPE
        tar.addfile(entry)
    expect_nothing_kept(archive, tmp_path / "out", "leads out")


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    archive = tmp_path / "bad.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        entry = zipfile.ZipInfo("link")
        entry.create_system, entry.external_attr = 3, 0o120777 << 16
        bundle.writestr(entry, "/etc/passwd")
    expect_nothing_kept(archive, tmp_path / "out", "a link")


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_more_than_the_limit_is_refused_and_the_limit_itself_is_not(tmp_path: Path, suffix: str) -> None:
    archive = write_archive(tmp_path / f"big{suffix}", {"a": bytes(600_000), "b": bytes(400_000)})
    expect_nothing_kept(archive, tmp_path / "out", r"more than 0\.0009 GB", limit_gb=0.0009)
    assert unpack_archive(archive, tmp_path / "out", 0.001).is_dir()


def test_a_tar_that_hides_its_size_is_stopped_while_it_is_written(tmp_path: Path) -> None:
    archive = tmp_path / "sparse.tar"
    entry = tarfile.TarInfo("hole")
    entry.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    # An old GNU sparse file: no bytes in the archive, a terabyte once it is unpacked.
    block[483:495] = b"10000000000\x00"
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    archive.write_bytes(bytes(block) + bytes(1024))
    expect_nothing_kept(archive, tmp_path / "out", "unpacks to more than", limit_gb=0.001)


def test_the_bytes_are_counted_whatever_the_headers_claim(tmp_path: Path) -> None:
    writer = archives._Writer(Path("bomb.zip"), tmp_path, 1e-6)
    with pytest.raises(MammoscanError, match="unpacks to more than"):
        writer.write_file("bomb", io.BytesIO(bytes(5000)), claimed=1)


@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz", ".tar", ".zip"])
@pytest.mark.parametrize("part", [0.0, 0.02, 0.3, 0.7, 0.97])
def test_a_truncated_archive_is_refused(tmp_path: Path, suffix: str, part: float) -> None:
    # Noise, so that the packed size is the files' own.
    noise = os.urandom(30_000)
    archive = write_archive(tmp_path / f"cut{suffix}", {"a": noise[:10_000], "b": noise[10_000:]})
    data = archive.read_bytes()
    size = int(len(data) * part)
    archive.write_bytes(data[:size])
    # A tar is padded with zeros at its end, and whole without the last of them.
    if suffix == ".tar" and part > 0.9:
        assert len(read_tree(unpack_archive(archive, tmp_path / "out", 1.0))) == 2
    else:
        expect_nothing_kept(archive, tmp_path / "out", "not a whole archive")


def test_a_tar_cut_between_two_files_is_refused(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "cut.tar", {"a": bytes(512), "b": bytes(512)})
    archive.write_bytes(archive.read_bytes()[: 512 * 3])
    expect_nothing_kept(archive, tmp_path / "out", "ends before its end mark")


def test_a_damaged_header_in_the_middle_is_no_end(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "bad.tar", {"a": bytes(512), "b": bytes(512)})
    data = bytearray(archive.read_bytes())
    data[512 * 3 + 5] ^= 0xFF
    archive.write_bytes(bytes(data))
    expect_nothing_kept(archive, tmp_path / "out", "not a whole archive")


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_a_flipped_bit_is_noticed(tmp_path: Path, suffix: str) -> None:
    archive = write_archive(tmp_path / f"bad{suffix}", {"a": os.urandom(20_000)})
    data = bytearray(archive.read_bytes())
    data[10_000] ^= 1
    archive.write_bytes(bytes(data))
    expect_nothing_kept(archive, tmp_path / "out", "not a whole archive")


def test_a_header_that_claims_an_absurd_length_is_not_read_into_memory(tmp_path: Path) -> None:
    archive = tmp_path / "bad.tar.gz"
    entry = tarfile.TarInfo("././@LongLink")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 8 << 30
    with gzip.open(archive, "wb") as stream:
        stream.write(entry.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    expect_nothing_kept(archive, tmp_path / "out", "a header claims")


def test_a_header_of_negative_size_does_not_go_round_in_circles(tmp_path: Path) -> None:
    archive = tmp_path / "bad.tar"
    entry = tarfile.TarInfo("a")
    entry.size = -1024
    archive.write_bytes(entry.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    expect_nothing_kept(archive, tmp_path / "out", "not a whole archive")


def test_what_follows_the_end_mark_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = write_archive(tmp_path / "x.tar")
    archive.write_bytes(archive.read_bytes() + bytes(200_000))
    monkeypatch.setattr(archives, "MAX_READ", 100_000)
    expect_nothing_kept(archive, tmp_path / "out", "goes on after its end mark")


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "bad.tar"
    with tarfile.open(archive, "w") as tar:
        add_file(tar, "a", b"1")
        add_file(tar, "./a", b"2")
    expect_nothing_kept(archive, tmp_path / "out", "twice")


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_FILES", 2)
    expect_nothing_kept(write_archive(tmp_path / "x.zip"), tmp_path / "out", "more than 2 files")


def test_a_file_used_as_a_folder_is_told_in_one_line(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "bad.tar", {"a": b"1", "a/b": b"2"})
    expect_nothing_kept(archive, tmp_path / "out", "Could not unpack")


@pytest.mark.parametrize("suffix", [".tar", ".zip"])
def test_an_archive_without_a_file_is_refused(tmp_path: Path, suffix: str) -> None:
    expect_nothing_kept(write_archive(tmp_path / f"empty{suffix}", {}), tmp_path / "out", "holds no file")


def test_a_web_page_is_no_archive(tmp_path: Path) -> None:
    page = tmp_path / "page.tar.gz"
    page.write_text("<html>Not found</html>" * 100)
    with pytest.raises(BrokenArchiveError, match="not a whole archive"):
        unpack_archive(page, tmp_path / "out", 1.0)


@pytest.mark.parametrize(("code", "match"), [(28, "Could not unpack .*check the disk"), (22, "not a whole")])
def test_a_full_disk_is_no_broken_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, match: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(archives._Writer, "write_file", fail)
    expect_nothing_kept(write_archive(tmp_path / "x.zip"), tmp_path / "out", match)


def test_the_content_tells_the_kind_where_the_name_does_not(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "x.zip").rename(tmp_path / "download")
    assert read_tree(unpack_archive(archive, tmp_path / "out", 1.0)) == FILES


def test_an_interrupted_unpacking_leaves_no_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_archive(tmp_path / "x.tar.gz")
    written = archives._Writer.write_file

    def interrupt(self: archives._Writer, name: str, *rest: object) -> None:
        if name == "c":
            raise KeyboardInterrupt
        written(self, name, *rest)

    monkeypatch.setattr(archives._Writer, "write_file", interrupt)
    with pytest.raises(KeyboardInterrupt):
        unpack_archive(archive, tmp_path / "out", 1.0)
    assert list((tmp_path / "out").iterdir()) == []
    monkeypatch.undo()
    assert read_tree(unpack_archive(archive, tmp_path / "out", 1.0)) == FILES


def test_only_work_that_nobody_touches_any_more_is_cleared_away(tmp_path: Path) -> None:
    old, new = tmp_path / ".x.1.partial", tmp_path / ".x.2.partial"
    for folder in (old, new):
        folder.mkdir()
        (folder / "half").touch()
    long_ago = time.time() - STALE_SECONDS - 1
    os.utime(old / "half", (long_ago, long_ago))
    os.utime(old, (long_ago, long_ago))
    with stage_folder(tmp_path / "x") as partial:
        (partial / "whole").touch()
    assert sorted(p.name for p in tmp_path.iterdir()) == [".x.2.partial", "x"]


def test_a_folder_that_appeared_meanwhile_is_kept(tmp_path: Path) -> None:
    with stage_folder(tmp_path / "x") as partial:
        (partial / "ours").touch()
        (tmp_path / "x").mkdir()
        (tmp_path / "x" / "theirs").touch()
    assert [p.name for p in (tmp_path / "x").iterdir()] == ["theirs"]
