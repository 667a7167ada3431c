"""Folders that are complete or do not exist."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mammoscan.atomic_write import NO_ROOM, one_line_disk_errors

# A partial folder untouched for this long belongs to a process that was killed.
STALE_SECONDS = 3600


@contextmanager
def stage_folder(target: Path, replace: bool = False) -> Iterator[Path]:
    """Fill a folder under a temporary name and rename it when it is complete.

    Args:
        target: The final folder.
        replace: Whether to replace an existing folder; otherwise one that appeared meanwhile is kept.

    Yields:
        An empty folder beside ``target``. If the block raises, it is removed and ``target`` stays as it was.
    """
    partial = target.parent / f".{target.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.partial"
    with one_line_disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(target)
        partial.mkdir()
    try:
        # The block reads other files too, so a permission may be missing there.
        with one_line_disk_errors(target, NO_ROOM):
            yield partial
        with one_line_disk_errors(target):
            if replace and target.exists():
                shutil.rmtree(target)
            if not target.exists():
                partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _remove_stale(target: Path) -> None:
    for partial in target.parent.glob(f".{target.name}.*.partial"):
        try:
            newest = max(path.stat().st_mtime for path in (partial, *partial.rglob("*")))
        except OSError:
            # It was removed meanwhile: another process is using it.
            continue
        if time.time() - newest > STALE_SECONDS:
            shutil.rmtree(partial, ignore_errors=True)
