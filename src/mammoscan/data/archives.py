"""Unpacking archives that are not trusted."""

from __future__ import annotations

import errno
import gzip
import hashlib
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import IO, NoReturn

from mammoscan.data.atomic_folder import stage_folder
from mammoscan.errors import MammoscanError

SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
MAX_FILES = 2_000_000
CHUNK = 1 << 20
# Longer reads come from a header with an absurd length; real ones are a few hundred bytes.
MAX_READ = 16 << 20


class BrokenArchiveError(MammoscanError):
    """The archive is truncated, corrupt or not an archive; another copy may be whole."""


def unpack_archive(archive: Path, folder: Path, limit_gb: float) -> Path:
    """Unpack an archive into a folder of its own, once.

    Only regular files are written; absolute paths, ``..``, links, devices and more than ``limit_gb`` are
    refused. The limit counts the bytes written, because headers may lie.

    Args:
        archive: A ``.tar.gz``, ``.tgz``, ``.tar`` or ``.zip`` file, which is only read.
        folder: Where the unpacked folder goes.
        limit_gb: Largest sum of the unpacked files, in gigabytes of 10^9 bytes.

    Returns:
        The unpacked folder, named after the archive and the sha256 of its content; it exists only when complete.
    """
    with archive.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        stream.seek(0)
        start = stream.read(4)
    target = folder / f"{strip_suffix(archive.name)}-{digest[:12]}"
    if target.is_dir():
        return target
    with stage_folder(target) as partial:
        writer = _Writer(archive, partial, limit_gb)
        try:
            if start.startswith(b"PK"):
                _unpack_zip(archive, writer)
            else:
                _unpack_tar(archive, writer, is_gzip=start.startswith(b"\x1f\x8b"))
        except (
            tarfile.TarError,
            zipfile.BadZipFile,
            gzip.BadGzipFile,
            EOFError,
            zlib.error,
            lzma.LZMAError,
        ) as error:
            _refuse_broken(archive, error)
        except (struct.error, ValueError, OverflowError, IndexError, RuntimeError) as error:
            _refuse_broken(archive, error)
        except OSError as error:
            # A damaged archive made tarfile seek to before the file's start.
            if error.errno == errno.EINVAL:
                _refuse_broken(archive, error)
            raise MammoscanError(
                f"Could not unpack {archive} into {folder}: {error}; check the disk"
            ) from error
        if not writer.files:
            _refuse_broken(archive, ValueError("it holds no file"))
    return target


def strip_suffix(name: str) -> str:
    """Return an archive's name without its suffix: ``all-mias.tar.gz`` becomes ``all-mias``."""
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


class _Writer:
    """Writes the files of one archive into a folder and counts the bytes."""

    def __init__(self, archive: Path, folder: Path, limit_gb: float) -> None:
        self.archive = archive
        self.folder = folder
        self.limit_gb = limit_gb
        self.written = 0
        self.files = 0
        self._made: set[Path] = {folder}

    def refuse(self, name: str, why: str) -> NoReturn:
        """Raise an error that names the archive and the entry."""
        raise MammoscanError(
            f"{self.archive} holds {name!r}, {why}; expected plain files and folders inside it: "
            "nothing was kept of it"
        )

    def find_path(self, name: str) -> Path:
        """Return the path for an entry of this name."""
        parts = re.split(r"[/\\]", name)
        if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
            self.refuse(name, "an absolute path")
        if ".." in parts:
            self.refuse(name, "a path that leads out of the folder")
        return self.folder.joinpath(*(part for part in parts if part not in ("", ".")))

    def write_file(self, name: str, stream: IO[bytes], claimed: int) -> None:
        """Write one file; ``claimed`` is its size by the header, checked before the first byte."""
        path = self.find_path(name)
        self._check_room(claimed)
        if path.parent not in self._made:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(path.parent)
        try:
            output = path.open("xb")
        except FileExistsError:
            self.refuse(name, "which occurs twice")
        with output:
            while chunk := stream.read(CHUNK):
                self._check_room(len(chunk))
                self.written += len(chunk)
                output.write(chunk)
        self.files += 1
        if self.files > MAX_FILES:
            self.refuse(name, f"and more than {MAX_FILES} files")

    def _check_room(self, more: int) -> None:
        if self.written + more > self.limit_gb * 1e9:
            raise MammoscanError(
                f"{self.archive} unpacks to more than {self.limit_gb:g} GB, which is the limit; "
                "raise unpack_limit_gb if you trust it: nothing was kept of it"
            )


class _GuardedStream:
    """A tar's bytes: refuses absurd reads and remembers the last header block."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.last_block = b""
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_READ:
            raise ValueError(f"a header claims {size} bytes")
        data = self._stream.read(size)
        if size == tarfile.BLOCKSIZE:
            self.last_block = data
        return data


def _unpack_tar(archive: Path, writer: _Writer, is_gzip: bool) -> None:
    with gzip.open(archive) if is_gzip else archive.open("rb") as raw:
        stream = _GuardedStream(raw)  # type: ignore[arg-type]
        with tarfile.open(fileobj=stream, mode="r:") as tar:  # type: ignore[call-overload]
            reached = -1
            while (member := tar.next()) is not None:
                # tarfile keeps every header, which is too much memory for 250,000 files.
                tar.members = []
                # A negative size in a header would loop forever.
                if tar.offset <= reached:
                    raise ValueError("a header points backwards")
                reached = tar.offset
                if member.isdir():
                    writer.find_path(member.name)
                elif not member.isreg():
                    writer.refuse(
                        member.name, "a link" if member.issym() or member.islnk() else "a special file"
                    )
                elif (source := tar.extractfile(member)) is not None:
                    writer.write_file(member.name, source, member.size)
        # tarfile takes a damaged header for the end; the real end is a block of zeros.
        if stream.last_block != bytes(tarfile.BLOCKSIZE):
            raise EOFError("it ends before its end mark")
        # The checksum at the end of a gzip stream is checked only on reading that far.
        if len(raw.read(MAX_READ)) == MAX_READ:
            raise ValueError("it goes on after its end mark")


def _unpack_zip(archive: Path, writer: _Writer) -> None:
    with zipfile.ZipFile(archive) as bundle:
        for entry in bundle.infolist():
            mode = stat.S_IFMT(entry.external_attr >> 16)
            if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
                writer.refuse(entry.filename, "a link" if stat.S_ISLNK(mode) else "a special file")
            if entry.is_dir():
                writer.find_path(entry.filename)
                continue
            with bundle.open(entry) as source:
                writer.write_file(entry.filename, source, entry.file_size)


def _refuse_broken(archive: Path, error: Exception) -> NoReturn:
    raise BrokenArchiveError(
        f"{archive} is not a whole archive ({error}); expected one of {', '.join(SUFFIXES)}: get it again"
    ) from error
