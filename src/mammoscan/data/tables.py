"""Reading tables: image files with labels, and splits written by hand."""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from mammoscan.data.image_folder import list_files, list_rejected
from mammoscan.errors import MammoscanError

# What R, pandas, spreadsheets and data bases write where there is nothing.
MISSING = ("NA", "N/A", "#N/A", "NaN", "nan", "<NA>", "NaT", "NULL")
WHOLE = re.compile(r"[+-]?\d+(\.0+)?")
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")


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
            encoding = find_encoding(file)
            separator = "\t" if suffix in (".tsv", ".tab") else find_separator(file, encoding)
            rows = pd.read_csv(file, dtype=str, keep_default_na=False, sep=separator, encoding=encoding)
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
    return pd.DataFrame({name: _read_column(rows[name]) for name in rows.columns}, dtype=str)


def find_encoding(file: Path) -> str:
    """Return how a text table is encoded: UTF-8, UTF-16 by its mark, else what Windows writes in western Europe."""
    content = file.read_bytes()
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # A file with control codes is no text in any encoding: UTF-8 then says where.
        return "utf-8-sig" if CONTROL.search(content) else "cp1252"
    return "utf-8-sig"


def find_separator(file: Path, encoding: str = "utf-8-sig") -> str:
    """Return the separator that the first line of a CSV file has most of."""
    with file.open(encoding=encoding, errors="replace") as stream:
        first = stream.readline()
    return max((",", ";", "\t"), key=first.count)


def _read_column(column: pd.Series) -> list[str]:
    cells = [_say_cell(value) for value in column]
    # Programs write whole numbers as 12.0 where a cell of the column is empty: 12 and 12.0 are one patient.
    if all(WHOLE.fullmatch(cell) for cell in cells if cell):
        return [cell.partition(".")[0] for cell in cells]
    return cells


def _say_cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NaT or value is pd.NA:
        return ""
    if isinstance(value, str) and value.strip() in MISSING:
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
        self._ends: dict[str, list[str]] = {}
        self._stems: dict[str, list[str]] = {}
        for name in self._files:
            self._ends.setdefault(PurePosixPath(name).name, []).append(name)
            self._stems.setdefault(PurePosixPath(name).stem, []).append(name)

    def find(self, path: str) -> str | None:
        """Return the file's relative path, or None where there is none or several could be meant."""
        if path.startswith("/") and Path(path).is_relative_to(self._folder):
            path = Path(path).relative_to(self._folder).as_posix()
        parts = PurePosixPath(path.strip().replace("\\", "/")).parts
        named = PurePosixPath(*(part for part in parts if part not in ("/", ".", "..")))
        for candidate in (named.as_posix(), (self._start / named).as_posix()):
            if candidate in self._files:
                return candidate
        # A path of another machine, or a name without suffix: the one file of that name, if there is only one.
        same = self._ends.get(named.name) or self._stems.get(named.name, [])
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
