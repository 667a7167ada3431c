"""What files a folder of images holds, and what their names and folders tell."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pandas as pd

from mammoscan.data.phantom_folder import STAMP

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".pgm", ".ppm", ".webp", ".gif")
# How many folders may wrap the data set's own, as archives often do.
MAX_WRAPPERS = 3


def find_home(folder: Path) -> Path:
    """Descend through folders that only wrap one other folder, as archives often do."""
    for _ in range(MAX_WRAPPERS):
        inside = [path for path in folder.iterdir() if not _is_clutter(path.name)]
        if len(inside) != 1 or not inside[0].is_dir() or folder.joinpath(STAMP).exists():
            break
        # A folder that itself is a class, holding images, is no wrapper.
        if any(path.is_file() and path.suffix.lower() in SUFFIXES for path in inside[0].iterdir()):
            break
        folder = inside[0]
    return folder


def list_files(folder: Path) -> list[str]:
    """List all files at or below a folder, relative and with ``/``, sorted; hidden ones and clutter are left out."""
    found: list[str] = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not _is_clutter(name)]
        start = Path(place).relative_to(folder).as_posix()
        prefix = "" if start == "." else f"{start}/"
        found += [prefix + name for name in files if not _is_clutter(name) and name != STAMP]
    return sorted(found)


def list_images(folder: Path) -> tuple[list[str], pd.DataFrame]:
    """Part the files of a folder into images, by their names, and others.

    Args:
        folder: Where the data set lies.

    Returns:
        The images' relative paths, and ``rejected`` with a row for every other file and every empty folder.
    """
    files = list_files(folder)
    images = [name for name in files if PurePosixPath(name).suffix.lower() in SUFFIXES]
    rows = [(name, f"not an image by its name: expected one of {' '.join(SUFFIXES)}") for name in files]
    known = set(images)
    rows = [row for row in rows if row[0] not in known]
    rows += [(f"{name}/", "an empty folder") for name in _list_empty(folder)]
    return images, list_rejected(rows)


def list_rejected(rows: list[tuple[str, str]]) -> pd.DataFrame:
    """Return rejected files as a table of ``source`` and ``reason``."""
    return pd.DataFrame(rows, columns=["source", "reason"], dtype=str)


def index_folders(
    folder: Path, patient: str | Callable[[str], str | None]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Index a data set whose folders are the labels: ``<label>/<file>``, at any depth.

    Args:
        folder: Where the data set lies.
        patient: A regular expression whose first group, or whole match, is the patient in a file's name; or a
            function from the file's name to the patient, None where the name tells none.

    Returns:
        ``images`` and ``rejected``, see ``ImageSet.index``.
    """
    tell = _search(patient) if isinstance(patient, str) else patient
    files, rejected = list_images(folder)
    rows, refused = [], []
    for source in files:
        path = PurePosixPath(source)
        who = tell(path.name)
        if len(path.parts) < 2:
            refused.append((source, "in no folder that names its label"))
        elif who is None:
            refused.append((source, "its name tells no patient"))
        else:
            rows.append((source, who, source, path.parent.name, path.parent.name))
    images = pd.DataFrame(rows, columns=["sample_id", "patient_id", "source", "label", "group"], dtype=str)
    return images, pd.concat([rejected, list_rejected(refused)], ignore_index=True)


def _search(pattern: str) -> Callable[[str], str | None]:
    compiled = re.compile(pattern)

    def tell(name: str) -> str | None:
        match = compiled.search(name)
        return None if match is None else match[compiled.groups and 1]

    return tell


def _list_empty(folder: Path) -> list[str]:
    return sorted(
        Path(place).relative_to(folder).as_posix()
        for place, folders, files in os.walk(folder)
        if place != str(folder) and not folders and not [name for name in files if not _is_clutter(name)]
    )


def _is_clutter(name: str) -> bool:
    return name.startswith((".", "__MACOSX")) or name.lower() in ("thumbs.db", "desktop.ini")
