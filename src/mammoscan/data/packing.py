"""Packing image files into one ``.npy`` array: each is decoded once, in threads, and memory stays flat."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd

from mammoscan.data.atomic_folder import stage_folder
from mammoscan.data.image_folder import list_rejected
from mammoscan.errors import MammoscanError
from mammoscan.imaging.image_reader import UnreadableImageError, decode_image
from mammoscan.params import PackParams
from mammoscan.records.dataset import DatasetRecord

MOVE_BYTES = 16 << 20


class PackedWriter:
    """Writes uint8 rows into a ``.npy`` file in any order and can drop some at the end.

    Plain writes, no memory map: mapped pages would count as this process's memory.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        """Set the file and the shape of the whole array."""
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
        """Keep only the rows at the given ascending positions."""
        if len(kept) == self._shape[0]:
            return
        step = max(1, MOVE_BYTES // self._row)
        for to in range(0, len(kept), step):
            rows = [self._read_row(int(row)) for row in kept[to : to + step]]
            # Rows only move forward: what is overwritten has been read.
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


VERSION = 2
"""Version of decoding and resizing; raise it with any change of the pixels, so that older packs are not reused."""
PIXELS, FACTS, REFUSED = "pixels.npy", "facts.parquet", "refused.csv"
# Decoded bytes of one task; each worker holds one task.
TASK_BYTES = 4 << 20
MAX_IN_TASK = 256
MADE_COLUMNS = ("width", "height", "aspect", "colour")


@dataclass(frozen=True)
class Pack:
    """Images as one array.

    Attributes:
        samples: The images that could be read, with ``width``, ``height``, ``aspect`` and ``colour`` of the file.
        pixels: The ``.npy`` file with uint8 ``[N, H, W, C]`` in the same order.
        refused: ``source`` and ``reason`` of the others.
        reused: Whether an earlier run packed the same files in the same way.
    """

    samples: pd.DataFrame
    pixels: Path
    refused: pd.DataFrame
    reused: bool


def pack_images(
    record: DatasetRecord,
    chosen: pd.DataFrame,
    params: PackParams,
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Pack:
    """Decode images in threads into one packed array, or reuse the one from an earlier run.

    Args:
        record: The opened data set.
        chosen: ``sample_id``, ``source`` and ``label`` of the images in the order of the result.
        params: Size, channels and number of threads.
        folder: Folder of the study's packs; only the newest is kept.
        progress: Called with the images done and the total.

    Returns:
        The pack. Files that cannot be read, and equal files with two labels, are refused, not packed.
    """
    target = folder / name_pack(record, chosen, params)
    reused = target.is_dir()
    if not reused:
        with stage_folder(target) as partial:
            _fill_pack(partial, Path(record.folder), chosen, params, progress)
        for other in folder.iterdir():
            if other != target and other.is_dir():
                shutil.rmtree(other)
    facts = pd.read_parquet(target / FACTS)
    samples = chosen[chosen["sample_id"].isin(set(facts["sample_id"]))].reset_index(drop=True)
    samples = samples.assign(**{name: facts[name].to_numpy() for name in MADE_COLUMNS})
    return Pack(samples, target / PIXELS, pd.read_csv(target / REFUSED, dtype=str), reused)


def name_pack(record: DatasetRecord, chosen: pd.DataFrame, params: PackParams) -> str:
    """Return a name that changes with the content of any file, the images chosen, their labels, order and size."""
    rows = pd.util.hash_pandas_object(chosen[["sample_id", "source", "label"]], index=False).to_numpy()
    how = [VERSION, record.fingerprint, *params.size, params.channels, params.levels]
    return hashlib.sha256(json.dumps(how).encode() + rows.tobytes()).hexdigest()[:16]


def _fill_pack(
    partial: Path,
    home: Path,
    chosen: pd.DataFrame,
    params: PackParams,
    progress: Callable[[int, int], None] | None,
) -> None:
    shape = (len(chosen), *params.size, params.channels)
    sources = chosen["source"].tolist()
    per_task = max(1, min(MAX_IN_TASK, TASK_BYTES // int(np.prod(shape[1:]))))
    with PackedWriter(partial / PIXELS, shape) as writer:

        def pack_some(start: int) -> list[tuple[Any, ...]]:
            facts = []
            block = np.zeros((len(sources[start : start + per_task]), *shape[1:]), dtype=np.uint8)
            for at, source in enumerate(sources[start : start + per_task]):
                block[at], fact = _decode_file(home / source, params)
                facts.append(fact)
            writer.write_rows(start, block)
            return facts

        # Tasks write what they decode and return only facts, so memory holds one task per worker.
        found: list[tuple[Any, ...]] = []
        with ThreadPoolExecutor(min(params.workers, 2 * (os.cpu_count() or 2))) as pool:
            for facts in pool.map(pack_some, range(0, len(sources), per_task)):
                found += facts
                if progress:
                    progress(len(found), len(sources))
        table = chosen[["sample_id", "source", "label"]].assign(
            **dict(zip(("reason", "digest", *MADE_COLUMNS), zip(*found, strict=True), strict=True))
        )
        table["reason"] = table["reason"].where(table["reason"] != "", _name_contradictions(table))
        good = (table["reason"] == "").to_numpy()
        if not good.any():
            first = table.iloc[0]
            raise MammoscanError(
                f"None of the {len(table)} images in {home} can be used; {first['source']}: {first['reason']}"
            )
        writer.keep_rows(np.flatnonzero(good))
    table.loc[good, ["sample_id", *MADE_COLUMNS]].to_parquet(partial / FACTS, index=False)
    refused = table.loc[~good, ["source", "reason"]]
    list_rejected(list(refused.itertuples(index=False, name=None))).to_csv(partial / REFUSED, index=False)


def _decode_file(path: Path, params: PackParams) -> tuple[Any, tuple[Any, ...]]:
    """Return the image (zero if it cannot be read) with reason, digest, width, height, aspect and colour."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return 0, (f"cannot be read: {error.strerror}", "", 0, 0, 0.0, "")
    try:
        image = decode_image(content, params.size, params.channels, params.levels)
    except UnreadableImageError as error:
        return 0, (str(error), "", 0, 0, 0.0, "")
    digest = hashlib.sha256(content).hexdigest()
    return image.pixels, ("", digest, image.width, image.height, image.width / image.height, image.colour)


def _name_contradictions(table: pd.DataFrame) -> pd.Series:
    """Return a reason for every copy of a file that has two labels, and empty texts for the others."""
    known = table[table["digest"] != ""]
    several = known.groupby("digest")["label"].nunique()
    doubted = known[known["digest"].isin(several.index[several > 1])]
    told = {
        digest: f"two labels for one file: copies of it are labelled {' and '.join(sorted(set(labels)))}"
        for digest, labels in doubted.groupby("digest")["label"]
    }
    return pd.Series([told.get(digest, "") for digest in table["digest"]], index=table.index, dtype=object)
