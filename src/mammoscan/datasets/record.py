from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.io.core import AbstractDataset
from kedro.utils import load_obj
from kedro_datasets._typing import JSONPreview
from pydantic import BaseModel

from mammoscan.datasets.whole_file import save_file
from mammoscan.records.base import read_record


class RecordDataset(AbstractDataset[BaseModel, BaseModel]):
    """A typed record as JSON: what is loaded has been checked against the record's schema."""

    def __init__(self, *, filepath: str, record: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the file and the record.

        Args:
            filepath: Where the ``.json`` is.
            record: The record's class, e.g. ``mammoscan.records.history.History``.
            metadata: Passed through for plugins such as Kedro-Viz.
        """
        self._filepath = Path(filepath)
        self._record: type[BaseModel] = load_obj(record)
        self.metadata = metadata

    def save(self, data: BaseModel) -> None:
        """Write the record to a temporary name, then rename it."""
        with save_file(self._filepath) as part:
            part.write_text(data.model_dump_json(indent=1) + "\n", encoding="utf-8")

    def load(self) -> BaseModel:
        """Read the file and check it."""
        return read_record(self._record, self._filepath)

    def preview(self) -> JSONPreview:
        """Return the record for Kedro-Viz."""
        return JSONPreview(self._filepath.read_text(encoding="utf-8"))

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "record": self._record.__name__}
