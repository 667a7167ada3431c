"""Reading tables: image files with labels, and splits written by hand."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

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
    rows = read_table(folder / table, (path, label))
    found = FileFinder(folder, list_files(folder), table)
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


def read_table(file: Path, columns: Iterable[str]) -> pd.DataFrame:
    """Read a CSV, TSV, Parquet, JSON Lines or Excel table as text; an empty cell is an empty text.

    Args:
        file: The table; its suffix is its format.
        columns: Columns that must be there.
    """
    wanted = list(columns)
    suffix = file.suffix.lower()
    try:
        if suffix == ".parquet":
            rows = pd.read_parquet(file)
        elif suffix in (".xlsx", ".xlsm"):
            rows = pd.read_excel(file, dtype=str, keep_default_na=False)
        elif suffix in (".jsonl", ".ndjson"):
            rows = pd.read_json(file, lines=True, dtype=False)
        else:
            # A semicolon or a tab is found by itself, and so is the mark that Excel puts before UTF-8.
            separator = "\t" if suffix in (".tsv", ".tab") else find_separator(file)
            rows = pd.read_csv(file, dtype=str, keep_default_na=False, sep=separator, encoding="utf-8-sig")
    except ImportError as error:
        raise MammoscanError(
            f"{file} is an Excel table, for which the package openpyxl is missing: pip install openpyxl, or save it "
            "as CSV"
        ) from error
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MammoscanError(
            f"{file} is no readable table ({reason}); expected a CSV with {' and '.join(wanted) or 'columns'}"
        ) from error
    rows.columns = [str(name).strip() for name in rows.columns]
    for column in wanted:
        if column not in rows.columns:
            raise MammoscanError(
                f"{file} has columns {list(rows.columns)}, expected {' and '.join(wanted)} among them"
            )
    return pd.DataFrame(
        {name: [_say_cell(value) for value in rows[name]] for name in rows.columns}, dtype=str
    )


def find_separator(file: Path) -> str:
    """Return the separator that the first line of a CSV file has most of."""
    with file.open(encoding="utf-8-sig", errors="replace") as stream:
        first = stream.readline()
    return max((",", ";", "\t"), key=first.count)


def _say_cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NaT or value is pd.NA:
        return ""
    # Parquet and JSON may hold whole numbers as fractions where a cell is empty.
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value).strip()


class FileFinder:
    """Finds the file that a row means, whatever folder its path was written from."""

    def __init__(self, folder: Path, files: Iterable[str], table: str = "") -> None:
        """Take the folder, its files by their relative paths, and the table's path relative to the folder."""
        self._folder = folder
        self._start = PurePosixPath(table).parent
        self._files = set(files)
        ends: dict[str, list[str]] = {}
        for name in self._files:
            ends.setdefault(PurePosixPath(name).name, []).append(name)
        self._ends = ends

    def find(self, path: str) -> str | None:
        """Return the file's relative path, or None where there is none or several could be meant."""
        if path.startswith("/") and Path(path).is_relative_to(self._folder):
            path = Path(path).relative_to(self._folder).as_posix()
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
