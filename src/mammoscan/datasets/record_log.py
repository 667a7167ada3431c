"""A file of JSON lines to which every run adds one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kedro.io.core import AbstractDataset

from mammoscan.datasets.whole_file import save_file


class RecordLogDataset(AbstractDataset[dict[str, Any], list[dict[str, Any]]]):
    """Saving adds a line; loading returns all lines, the oldest first."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the file.

        Args:
            filepath: Where the ``.jsonl`` is.
            metadata: Passed through for plugins such as Kedro-Viz.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def save(self, data: dict[str, Any]) -> None:
        """Add a line, by way of a temporary file."""
        before = self._filepath.read_text(encoding="utf-8") if self._filepath.is_file() else ""
        with save_file(self._filepath) as part:
            part.write_text(before + json.dumps(data) + "\n", encoding="utf-8")

    def load(self) -> list[dict[str, Any]]:
        """Return all lines."""
        return [json.loads(line) for line in self._filepath.read_text(encoding="utf-8").splitlines()]

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
