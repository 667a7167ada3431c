"""Phantoms on disk: made once per set of parameters, and never taken for real images."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import filelock

from mammoscan.data.atomic_folder import stage_folder
from mammoscan.progress import show_progress
from mammoscan.records.dataset import DatasetRecord

STAMP = "phantom.json"


def make_phantom(
    target: Path, stamp: Mapping[str, Any], write: Callable[[Path, Callable[[int, int], None]], None]
) -> Path:
    """Make a phantom, unless a complete one with the same parameters exists.

    Args:
        target: The phantom's folder.
        stamp: What determines its content: parameters, seed, version of the generator.
        write: Fills an empty folder and reports progress.

    Returns:
        ``target``; its stamp file is written last.
    """
    if _is_whole(target, stamp):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    # Two runs that begin in an empty folder: the second waits for the first one's phantom.
    with filelock.FileLock(target.parent / f".{target.name}.lock"):
        if not _is_whole(target, stamp):
            _write_phantom(target, stamp, write)
    return target


def _is_whole(target: Path, stamp: Mapping[str, Any]) -> bool:
    found = read_stamp(target)
    return found is not None and found.pop("files", None) == _count_files(target) and found == dict(stamp)


def _write_phantom(
    target: Path, stamp: Mapping[str, Any], write: Callable[[Path, Callable[[int, int], None]], None]
) -> None:
    with stage_folder(target, replace=True) as partial, show_progress("Making the phantom") as show:
        write(partial, lambda done, total: show(done, total, "images"))
        text = json.dumps({**stamp, "files": _count_files(partial)}, indent=2)
        (partial / STAMP).write_text(text + "\n", encoding="utf-8")


def read_stamp(folder: Path) -> dict[str, Any] | None:
    """Read a phantom's stamp; None if the folder holds no phantom."""
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) else None


def mark_phantom(record: DatasetRecord) -> DatasetRecord:
    """Return the record of a phantom: nobody published it, and no number measured on it is about patients."""
    return record.model_copy(
        update={
            "kind": "phantom",
            "verified": False,
            "citation": f"None: synthetic images in the layout of {record.title}, made by Mammoscan; no patients",
            "licence": "MIT, as Mammoscan: synthetic images",
            "address": "",
            "design": "Simulated: a program drew the images; nothing was collected.",
            "reference_standard": "The program that drew an image set its label.",
            "limits": ("Synthetic images: no figure here says anything of patients.", *record.limits),
        }
    )


def _count_files(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*") if path.is_file() and path.name != STAMP)
