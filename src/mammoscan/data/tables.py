"""Reading tables: image files with labels, and splits written by hand."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pandas as pd

from mammoscan.data.image_folder import list_files, list_rejected
from mammoscan.errors import MammoscanError


def index_table(
    folder: Path, table: str, path: str = "path", label: str = "label"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read files and their labels from a CSV table.

    Args:
        folder: Folder of the data set.
        table: The table's path, relative to the folder.
        path: Column with the files' paths, relative to the folder or to the table; of an absolute path that does not
            exist here, the file name counts.
        label: Column with the labels.

    Returns:
        ``source`` and ``label`` of every file that exists and has one label; and ``rejected``: rows without a file,
        files with two labels, repeated rows.
    """
    try:
        rows = pd.read_csv(folder / table, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise MammoscanError(
            f"{folder / table} is no readable table ({error}); expected a CSV with {path} and {label}"
        ) from error
    for column in (path, label):
        if column not in rows.columns:
            raise MammoscanError(
                f"{folder / table} has columns {list(rows.columns)}, expected {path} and {label} among them"
            )
    found = _FileFinder(folder, table)
    kept: dict[str, str] = {}
    sources = [found.find(value) for value in rows[path]]
    labels: dict[str, set[str]] = {}
    for source, value in zip(sources, rows[label], strict=True):
        if source is not None:
            labels.setdefault(source, set()).add(value)
    refused: list[tuple[str, str]] = []
    for number, (source, named, value) in enumerate(zip(sources, rows[path], rows[label], strict=True), 2):
        if source is None:
            refused.append((named, f"line {number} of {table} names it, but there is no such file"))
        elif len(labels[source]) > 1:
            names = ", ".join(sorted(labels[source]))
            refused.append((source, f"two labels for one file in {table}: {names}"))
        elif source in kept:
            refused.append((source, f"stands twice in {table} (line {number}); one of them is kept"))
        elif not value:
            refused.append((source, f"no label in line {number} of {table}"))
        else:
            kept[source] = value
    images = pd.DataFrame(list(kept.items()), columns=["source", "label"], dtype=str)
    return images, list_rejected(refused)


class _FileFinder:
    """Finds the file that a row means, whatever folder its path was written from."""

    def __init__(self, folder: Path, table: str) -> None:
        self._start = PurePosixPath(table).parent
        self._files = set(list_files(folder))
        ends: dict[str, list[str]] = {}
        for name in self._files:
            ends.setdefault(PurePosixPath(name).name, []).append(name)
        self._ends = ends

    def find(self, path: str) -> str | None:
        parts = PurePosixPath(path.strip().replace("\\", "/")).parts
        named = PurePosixPath(*(part for part in parts if part not in ("/", ".", "..")))
        for candidate in (named.as_posix(), (self._start / named).as_posix()):
            if candidate in self._files:
                return candidate
        # An absolute path of another machine: the one file of that name, if there is only one.
        same = self._ends.get(named.name, [])
        return same[0] if len(same) == 1 else None


def read_folds(path: Path | None) -> pd.DataFrame | None:
    """Read a split in the layout of the ``folds`` entry."""
    if path is None:
        return None
    try:
        return pd.read_csv(path, dtype={"sample_id": str})
    except (OSError, ValueError) as error:
        raise MammoscanError(
            f"split.file {path}: found no readable table ({error}), expected a CSV like the folds entry "
            "with sample_id and fold_0, fold_1, …; write one or set split.file to null"
        ) from error
