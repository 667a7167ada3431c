"""Turning a source (folder, archive or address) into a folder with files."""

from __future__ import annotations

import os
from pathlib import Path

from mammoscan.data.archives import SUFFIXES, BrokenArchiveError, unpack_archive
from mammoscan.data.download import download_file
from mammoscan.errors import MammoscanError

# How far below the given folder the files may lie.
MAX_DEPTH = 3


def locate_source(key: str, source: str, folder: Path, unpack_limit_gb: float) -> Path:
    """Turn a source into a folder with its files.

    Args:
        key: The parameter's name for error messages, e.g. ``mias.source``.
        source: A folder, an archive on disk, or an http(s) address of an archive.
        folder: Where downloads and unpacked archives go; a folder given as source is never written to.
        unpack_limit_gb: Largest size that an archive may unpack to.

    Returns:
        The given folder, or the one with the unpacked archive.
    """
    if is_address(source):
        archive = download_file(source, folder)
        try:
            return unpack_archive(archive, folder, unpack_limit_gb)
        except BrokenArchiveError:
            # Otherwise the next run would find it instead of downloading again.
            archive.unlink()
            raise
    path = Path(source).expanduser()
    if path.is_dir():
        return path.resolve()
    if path.is_file() and path.name.lower().endswith(SUFFIXES):
        return unpack_archive(path, folder, unpack_limit_gb)
    found = f"a file that ends in {path.suffix!r}" if path.is_file() else "nothing there"
    raise MammoscanError(
        f"{key} is {source!r}: {found}; expected phantom, a folder, an archive ({' '.join(SUFFIXES)}) "
        "or an http(s) address"
    )


def is_address(source: str) -> bool:
    """Return whether a source is an http(s) address."""
    return source.lower().startswith(("http://", "https://"))


def find_named_file(folder: Path, name: str) -> Path:
    """Find the one file of this name, in any case, at or below a folder.

    Args:
        folder: Where to begin; hidden folders are skipped.
        name: The file's name, e.g. ``Info.txt``.

    Returns:
        The file.
    """
    found: list[Path] = []
    for place, folders, files in os.walk(folder):
        here = Path(place)
        found += [here / file for file in files if file.lower() == name.lower()]
        deeper = len(here.relative_to(folder).parts) < MAX_DEPTH
        folders[:] = sorted(each for each in folders if deeper and not each.startswith((".", "__")))
    if not found:
        raise MammoscanError(
            f"{folder} holds no {name}, at its root or in a folder; expected the data set's files"
        )
    if len(found) > 1:
        names = ", ".join(str(each.relative_to(folder)) for each in sorted(found)[:10])
        raise MammoscanError(
            f"{folder} holds {len(found)} files {name} ({names}); expected one: name its own folder"
        )
    return found[0]
