from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.io.core import AbstractDataset

from mammoscan.datasets.whole_file import save_file


class KerasModelDataset(AbstractDataset[Any, Any]):
    """A Keras model as a ``.keras`` file; Keras is imported when one is loaded, not when Kedro starts."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the file.

        Args:
            filepath: Where the ``.keras`` file is.
            metadata: Passed through for plugins such as Kedro-Viz.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Any:
        """Return the model, uncompiled; no code that a file may carry is run."""
        from mammoscan.models.registry import load_model

        return load_model(self._filepath)

    def save(self, data: Any) -> None:
        """Write the model to a temporary name, then rename it."""
        with save_file(self._filepath) as part:
            data.save(part)

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
