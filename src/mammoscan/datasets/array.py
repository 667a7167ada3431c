from __future__ import annotations

import base64
import io
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NewType

import numpy as np
from kedro.io.core import AbstractDataset, DatasetError

from mammoscan.datasets.whole_file import save_file
from mammoscan.imaging.contact_sheet import tile_images

# Kedro-Viz finds out how to show a preview by the *name* of the return type.
ImagePreview = NewType("ImagePreview", str)


@dataclass(frozen=True)
class ArrayStream:
    """An array that is too large to hold, as the blocks of rows that make it up.

    Attributes:
        shape: Shape of the whole array.
        dtype: Its element type.
        blocks: Arrays of shape ``[n, *shape[1:]]`` whose lengths add up to ``shape[0]``.
    """

    shape: tuple[int, ...]
    dtype: str
    blocks: Iterable[np.ndarray]


@dataclass(frozen=True)
class ArrayFile:
    """An array that already lies in a ``.npy`` file, which its owner keeps.

    Attributes:
        path: The file; nothing changes it once it is handed on.
    """

    path: Path


class ArrayDataset(AbstractDataset[np.ndarray | ArrayStream | ArrayFile, np.ndarray]):
    """A ``.npy`` file: written whole or as a stream of blocks, read in place as a read-only memory map."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the file.

        Args:
            filepath: Where the ``.npy`` file is.
            metadata: Passed through for plugins such as Kedro-Viz.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> np.ndarray:
        """Return the array, mapped from the file rather than read."""
        return np.load(self._filepath, mmap_mode="r", allow_pickle=False)

    def save(self, data: np.ndarray | ArrayStream | ArrayFile) -> None:
        """Write an array or a stream to a temporary name, then rename it; a file is linked where that can be."""
        with save_file(self._filepath) as part:
            if isinstance(data, ArrayFile):
                _link_file(data.path, part)
            elif isinstance(data, ArrayStream):
                self._write_stream(part, data)
            else:
                np.save(part, data, allow_pickle=False)

    def _write_stream(self, path: Path, stream: ArrayStream) -> None:
        if stream.shape[0] == 0:
            np.save(path, np.empty(stream.shape, stream.dtype))
            return
        target = np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(stream.dtype), shape=stream.shape)
        _allocate(path)
        at = 0
        for block in stream.blocks:
            if at + len(block) > len(target):
                raise DatasetError(f"{self._filepath}: the stream holds more than its {len(target)} rows")
            target[at : at + len(block)] = block
            at += len(block)
        if at != len(target):
            raise DatasetError(f"{self._filepath}: the stream ended after {at} of its {len(target)} rows")
        target.flush()
        del target

    def preview(self, images: int = 24) -> ImagePreview:
        """Return the first images on one sheet, for Kedro-Viz; of features one image, a row of pixels an image's."""
        from PIL import Image

        array = self.load()
        some = np.asarray(array[:images])
        if some.ndim == 4:
            some = some if some.shape[-1] == 3 else some[..., 0]
        if some.ndim == 2:
            some = some[None]
        if some.dtype != np.uint8:
            some = _stretch_values(some)
        buffer = io.BytesIO()
        Image.fromarray(tile_images(some, columns=6)).save(buffer, format="PNG")
        return ImagePreview(base64.b64encode(buffer.getvalue()).decode("ascii"))

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def _allocate(path: Path) -> None:
    """Claim the disk's space for a mapped file: without it a full disk kills the process while it writes there."""
    if hasattr(os, "posix_fallocate"):
        with path.open("rb+") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)


def _stretch_values(values: np.ndarray) -> np.ndarray:
    """Return numbers of any kind as grey levels from the lowest to the highest."""
    found = np.nan_to_num(values.astype(np.float64))
    low, high = (found.min(), found.max()) if found.size else (0.0, 0.0)
    return ((found - low) * (255 / ((high - low) or 1))).astype(np.uint8)


def _link_file(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
    # What is upstream of it may have been written a moment ago, and it must not look older.
    os.utime(target)
