from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from kedro.io.core import AbstractDataset
from matplotlib.figure import Figure

from mammoscan.datasets.array import ImagePreview
from mammoscan.datasets.whole_file import save_file


class FigureDataset(AbstractDataset[Figure, bytes]):
    """A figure: saved as PNG, loaded as the PNG's bytes, so that a report can carry it."""

    def __init__(self, *, filepath: str, dpi: int = 150, metadata: dict[str, Any] | None = None) -> None:
        """Name the file.

        Args:
            filepath: Where the ``.png`` is.
            dpi: Dots an inch.
            metadata: Passed through for plugins such as Kedro-Viz.
        """
        self._filepath = Path(filepath)
        self._dpi = dpi
        self.metadata = metadata

    def save(self, data: Figure) -> None:
        """Draw the figure to a temporary name, then rename it."""
        with save_file(self._filepath) as part:
            # Without the Software field the same figure is the same bytes under every matplotlib version.
            data.savefig(part, dpi=self._dpi, format="png", metadata={"Software": None})

    def load(self) -> bytes:
        """Return the PNG's bytes."""
        return self._filepath.read_bytes()

    def preview(self) -> ImagePreview:
        """Return the figure for Kedro-Viz."""
        return ImagePreview(base64.b64encode(self.load()).decode("ascii"))

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "dpi": self._dpi}
