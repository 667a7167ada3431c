"""Rows of the packed images on their way to the device: all at once where they fit, else block by block."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# What one set of rows may hold of the device's memory before it is streamed.
RESIDENT_BYTES = 2 * 1024**3
BLOCK_BYTES = 64 * 1024**2


class Block(NamedTuple):
    """Images, and where in them each place of the wanted order lies."""

    first: int
    images: Any
    places: NDArray[np.int32]


class PixelBlocks:
    """Some rows of a packed array, to be read in many orders.

    What comes out does not depend on whether the rows were kept or streamed: batches hold the same images.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        rows: NDArray[np.integer],
        place: Any,
        *,
        resident_bytes: int | None = None,
        block_bytes: int | None = None,
    ) -> None:
        """Keep the rows where they fit.

        Args:
            pixels: ``[N, H, W, C]``, possibly memory-mapped.
            rows: Positions in ``pixels``.
            place: Puts an array on the device and returns the backend's tensor.
            resident_bytes: Above this the rows are streamed.
            block_bytes: Size of a streamed block.
        """
        self._pixels, self._rows, self._place = pixels, np.asarray(rows), place
        self._row_bytes = int(np.prod(pixels.shape[1:]))
        self._block_bytes = BLOCK_BYTES if block_bytes is None else block_bytes
        limit = RESIDENT_BYTES if resident_bytes is None else resident_bytes
        self.resident = len(self._rows) * self._row_bytes <= limit
        self._kept = place(read_rows(pixels, self._rows)) if self.resident else None

    def __len__(self) -> int:
        return len(self._rows)

    def iterate(self, order: NDArray[np.integer], batch_size: int) -> Iterator[Block]:
        """Yield the images in ``order`` (positions within the rows); blocks end where batches do."""
        if self.resident:
            yield Block(0, self._kept, order.astype(np.int32))
            return
        step = max(1, self._block_bytes // (self._row_bytes * batch_size)) * batch_size
        starts = range(0, len(order), step)

        def load(first: int) -> Block:
            # Read in the file's own order, so that the disk is asked for neighbours.
            rows, index = np.unique(self._rows[order[first : first + step]], return_inverse=True)
            return Block(first, self._place(read_rows(self._pixels, rows)), index.astype(np.int32))

        # One block is read while the one before is computed on: three in memory at most.
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(load, starts[0]) if starts else None
            for following in [*starts[1:], None]:
                if coming is None:
                    return
                block = coming.result()
                coming = reader.submit(load, following) if following is not None else None
                yield block


def read_rows(pixels: NDArray[np.uint8], rows: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Copy rows out of a packed array."""
    return np.ascontiguousarray(pixels[rows])
