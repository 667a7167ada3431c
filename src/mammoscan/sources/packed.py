"""A ``.npy`` file that many threads fill, row by row, without holding or mapping it."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

import numpy as np

MOVE_BYTES = 16 << 20


class PackedWriter:
    """Writes uint8 rows into a ``.npy`` file in any order, and can drop some at the end.

    Plain writes, no memory map: mapped pages would count as this process's memory and grow with the file.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        """Name the file and the shape of the whole array."""
        self._path = path
        self._shape = shape
        self._row = int(np.prod(shape[1:]))
        self._start = 0

    def __enter__(self) -> PackedWriter:
        self._stream = self._path.open("wb+")
        self._start = self._write_header(self._shape)
        self._stream.truncate(self._start + self._shape[0] * self._row)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def write_rows(self, first: int, rows: np.ndarray) -> None:
        """Write rows from the position ``first`` on; may be called from several threads."""
        self._write_at(self._start + first * self._row, rows.tobytes())

    def keep_rows(self, kept: np.ndarray) -> None:
        """Drop all rows but those at the given ascending positions."""
        if len(kept) == self._shape[0]:
            return
        step = max(1, MOVE_BYTES // self._row)
        for to in range(0, len(kept), step):
            rows = [self._read_row(int(row)) for row in kept[to : to + step]]
            # Rows only move forward, and all that is written over has been read.
            self._write_at(self._start + to * self._row, b"".join(rows))
        # NumPy pads headers so that the first length may have any number of digits.
        self._write_header((len(kept), *self._shape[1:]))
        self._stream.truncate(self._start + len(kept) * self._row)

    def _write_header(self, shape: tuple[int, ...]) -> int:
        self._stream.seek(0)
        np.lib.format.write_array_header_1_0(
            self._stream, {"descr": "|u1", "fortran_order": False, "shape": shape}
        )
        self._stream.flush()
        return self._stream.tell()

    def _write_at(self, place: int, content: bytes) -> None:
        view = memoryview(content)
        while view:
            written = os.pwrite(self._stream.fileno(), view, place)
            view, place = view[written:], place + written

    def _read_row(self, row: int) -> bytes:
        return os.pread(self._stream.fileno(), self._row, self._start + row * self._row)
