from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.io.core import AbstractDataset, DatasetError


class FolderDataset(AbstractDataset[Path, Path]):
    """A folder that a node may keep files of its own in, such as checkpoints; loading gives its path.

    It keeps the paths of such files in the catalog, where a person looks for them.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the folder; nothing is made until a node writes there.

        Args:
            filepath: The folder.
            metadata: Passed through for plugins such as Kedro-Viz.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Path:
        """Return the folder's path."""
        return self._filepath

    def save(self, data: Path) -> None:
        """Refuse: a folder is an input only."""
        raise DatasetError(f"{self._filepath} is a folder to work in; nothing can be saved as it")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
