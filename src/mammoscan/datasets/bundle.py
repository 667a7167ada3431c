from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from kedro.io.core import AbstractDataset
from kedro_datasets._typing import JSONPreview

from mammoscan.datasets.whole_file import save_file
from mammoscan.errors import MammoscanError


class Bundle(Mapping[str, Any]):
    """Results by name; each is loaded when it is first asked for."""

    def __init__(self, datasets: Mapping[str, AbstractDataset[Any, Any]]) -> None:
        """Take the data sets of the parts."""
        self._datasets = dict(datasets)
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Load a part."""
        if name not in self._loaded:
            self._loaded[name] = self._datasets[name].load()
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._datasets)

    def __len__(self) -> int:
        """Return the number of parts."""
        return len(self._datasets)


class BundleDataset(AbstractDataset[Collection[str], Bundle]):
    """Results that belong together under one name, so that the graph shows one shape for them.

    Each part is an entry of its own too, with a file that a node has written by the time the bundle is saved; the
    bundle's own file lists which of them there are.
    """

    def __init__(
        self, *, filepath: str, parts: dict[str, dict[str, Any]], metadata: dict[str, Any] | None = None
    ) -> None:
        """Name the file and the parts.

        Args:
            filepath: Where the list of parts is.
            parts: By name, the catalog's entry of each part that there may be.
            metadata: Passed through for plugins such as Kedro-Viz.
        """
        self._filepath = Path(filepath)
        self._parts = {name: AbstractDataset.from_config(name, dict(part)) for name, part in parts.items()}
        self.metadata = metadata

    def save(self, data: Collection[str]) -> None:
        """List the parts."""
        missing = [name for name in data if not self._parts[name].exists()]
        if missing:
            raise MammoscanError(
                f"{self._filepath}: found no file of {missing[0]}; run the node that writes it"
            )
        with save_file(self._filepath) as part:
            files = {name: str(Path(self._parts[name]._filepath).name) for name in sorted(data)}  # type: ignore[attr-defined]
            part.write_text(json.dumps(files, indent=1) + "\n", encoding="utf-8")

    def load(self) -> Bundle:
        """Return the parts, none of them read yet."""
        return Bundle(
            {name: self._parts[name] for name in json.loads(self._filepath.read_text(encoding="utf-8"))}
        )

    def preview(self) -> JSONPreview:
        """Return the list of parts for Kedro-Viz."""
        return JSONPreview(self._filepath.read_text(encoding="utf-8"))

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "parts": sorted(self._parts)}
