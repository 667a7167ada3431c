"""Listing the image files of a folder, and reading labels and patients from their paths."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pandas as pd

from mammoscan.data.phantom_folder import STAMP
from mammoscan.imaging.image_reader import SUFFIXES

DICOM_MARK = b"DICM"
# How many folders may wrap the data set's own, as archives often do.
MAX_WRAPPERS = 3


def find_data_folder(folder: Path) -> Path:
    """Descend through folders that hold nothing but one other folder, as archives often do."""
    for _ in range(MAX_WRAPPERS):
        inside = [path for path in folder.iterdir() if not _is_clutter(path.name)]
        if len(inside) != 1 or not inside[0].is_dir() or folder.joinpath(STAMP).exists():
            break
        # A single class folder with images in it is not a wrapper.
        if any(path.is_file() and path.suffix.lower() in SUFFIXES for path in inside[0].iterdir()):
            break
        folder = inside[0]
    return folder


def list_files(folder: Path) -> list[str]:
    """List the relative paths of all files below a folder, sorted, without hidden files and system clutter."""
    found: list[str] = []
    visited: set[tuple[int, int]] = set()
    # Linked folders are followed, each folder once: a link may lead back up.
    for place, folders, files in os.walk(folder, followlinks=True):
        status = Path(place).stat()
        if (status.st_dev, status.st_ino) in visited:
            folders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not _is_clutter(name))
        start = Path(place).relative_to(folder).as_posix()
        prefix = "" if start == "." else f"{start}/"
        found += [prefix + name for name in files if not _is_clutter(name) and name != STAMP]
    return sorted(found)


def list_images(folder: Path) -> tuple[list[str], pd.DataFrame]:
    """List the images of a folder by their suffixes; ``rejected`` has every other file and every empty folder."""
    files = list_files(folder)
    images = [name for name in files if is_image(folder, name)]
    rows = [(name, f"not an image by its name: expected one of {' '.join(SUFFIXES)}") for name in files]
    known = set(images)
    rows = [row for row in rows if row[0] not in known]
    rows += [(f"{name}/", "an empty folder") for name in _list_empty(folder)]
    return images, list_rejected(rows)


def is_image(folder: Path, name: str) -> bool:
    """Return whether a file is an image by its suffix; one without a suffix may be DICOM by its content."""
    suffix = PurePosixPath(name).suffix.lower()
    if name.lower().endswith(SUFFIXES):
        return True
    # Archives of radiology name files IM000001 or 1.2.840.113619.2.
    if suffix and not suffix[1:].isdigit():
        return False
    try:
        with (folder / name).open("rb") as stream:
            return stream.read(132)[128:] == DICOM_MARK
    except OSError:
        return False


def list_rejected(rows: list[tuple[str, str]]) -> pd.DataFrame:
    """Return rejected files as a table with ``source`` and ``reason``."""
    return pd.DataFrame(rows, columns=["source", "reason"], dtype=str)


def index_folders(
    folder: Path, patient: str | Callable[[str], str | None]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Index a folder with one folder per label: ``<label>/<file>``, at any depth.

    Args:
        folder: Folder of the data set.
        patient: Regular expression whose first group, or whole match, is the patient in the file's name; or a function
            from the file's name to the patient, or to None.

    Returns:
        ``images`` and ``rejected``, see ``ImageSet.index``.
    """
    read_patient = _search(patient) if isinstance(patient, str) else patient
    files, rejected = list_images(folder)
    rows, refused = [], []
    for source in files:
        path = PurePosixPath(source)
        patient_id = read_patient(path.name)
        if len(path.parts) < 2:
            refused.append((source, "not in a folder that names its label"))
        elif patient_id is None:
            refused.append((source, "no patient in its name"))
        else:
            rows.append((source, patient_id, source, path.parent.name, path.parent.name))
    images = pd.DataFrame(rows, columns=["sample_id", "patient_id", "source", "label", "group"], dtype=str)
    return images, pd.concat([rejected, list_rejected(refused)], ignore_index=True)


def _search(pattern: str) -> Callable[[str], str | None]:
    compiled = re.compile(pattern)

    def read_patient(name: str) -> str | None:
        match = compiled.search(name)
        return None if match is None else match[compiled.groups and 1]

    return read_patient


def _list_empty(folder: Path) -> list[str]:
    empty = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not _is_clutter(name)]
        if place != str(folder) and not folders and not [name for name in files if not _is_clutter(name)]:
            empty.append(Path(place).relative_to(folder).as_posix())
    return sorted(empty)


def _is_clutter(name: str) -> bool:
    return name.startswith((".", "__MACOSX")) or name.lower() in ("thumbs.db", "desktop.ini")
