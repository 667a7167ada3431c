from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mammoscan.errors import MammoscanError

# That no file can have been the reason for.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
_DISK_ERRORS = (*NO_ROOM, errno.EACCES, errno.EPERM, errno.EIO)
# Some writers (NumPy's, for one) report a full disk without its number.
_FULL_BYTES = 1 << 20


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; sync what was written there and rename it when the block ends well.

    A killed process, a full disk or a power cut thus leaves the former file or none, never half of one. The suffix is
    kept, because some writers choose their format by it.
    """
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    with one_line_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            sync_file(part)
            part.replace(path)
            sync_file(path.parent)
        finally:
            part.unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Have the disk hold what was written to a file, or the names in a folder."""
    windows = sys.platform == "win32"
    if windows and path.is_dir():
        return  # Windows has no handle for a folder's names
    # Windows syncs only what is open for writing.
    descriptor = os.open(path, os.O_RDWR if windows else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def one_line_disk_errors(path: Path, kinds: tuple[int, ...] = _DISK_ERRORS) -> Iterator[None]:
    """Turn a full, read-only or failing disk into one line that names the file; where others are read too, some."""
    try:
        yield
    except OSError as error:
        free = _measure_free(path)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT) or (error.errno is None and free < _FULL_BYTES)
        if not full and error.errno not in kinds:
            raise
        what = "the disk is full" if full else os.strerror(error.errno or 0).lower()
        raise MammoscanError(
            f"{path}: cannot be written: {what} ({free / 1e6:,.0f} MB free); "
            + ("free some space" if full else "choose a folder that can be written")
            + " and run again; nothing that was there before is lost"
        ) from error


def _measure_free(path: Path) -> int:
    for folder in path.parents:
        try:
            return shutil.disk_usage(folder).free
        except OSError:
            continue
    return 0
