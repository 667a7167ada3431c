"""Kedro's own datasets of tables, JSON and text, written as every file of a run is: whole, synced and sealed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io.core import DatasetError, get_filepath_str
from kedro_datasets import json, pandas, text

from mammoscan.errors import MammoscanError
from mammoscan.seals import write_sealed


class WriteError(DatasetError, MammoscanError):
    """A file could not be written; as a dataset's error it reaches the console as its one line."""


@contextmanager
def save_file(path: Path) -> Iterator[Path]:
    """Give a temporary name for what becomes ``path``; a failing disk is one line."""
    try:
        with write_sealed(path) as part:
            yield part
    except MammoscanError as error:
        raise WriteError(error.message) from error


class _WholeFile:
    def save(self, data: Any) -> None:
        target = Path(get_filepath_str(self._get_save_path(), self._protocol))  # type: ignore[attr-defined]
        kept = self._filepath  # type: ignore[has-type]
        with save_file(target) as part:
            self._filepath = PurePosixPath(part.as_posix())
            try:
                super().save(data)  # type: ignore[misc]
            finally:
                self._filepath = kept


class CSVDataset(_WholeFile, pandas.CSVDataset):
    """A table as CSV."""


class ParquetDataset(_WholeFile, pandas.ParquetDataset):
    """A table as Parquet."""


class JSONDataset(_WholeFile, json.JSONDataset):
    """What JSON can hold."""


class TextDataset(_WholeFile, text.TextDataset):
    """A page or another text."""
