"""A training on disk, so that a killed one goes on where it stopped."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import time
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.atomic_write import one_line_disk_errors
from mammoscan.errors import MammoscanError

_log = logging.getLogger(__name__)

_MAGIC = b"mammoscan checkpoint 1\n"
_DIGEST_BYTES = 32
# Where a training keeps them, in its own folder of the study's training folder.
CHECKPOINTS, CHECKPOINT = "checkpoints", "training.ckpt"
# Writing may take this share of the time, and never happens more often than once in so many seconds.
_SHARE = 0.05
_MIN_SECONDS = 1.0


@dataclass
class Snapshot:
    """All that the rest of a training depends on.

    Attributes:
        epoch: The last epoch that was finished.
        state: The engine's state after it; empty where the training had ended.
        best: The best weights so far, in the end those of the result; empty where none are kept.
        memory: What else is remembered, as JSON can hold it: early stopping, the history, and whether it had ended.
    """

    epoch: int
    state: list[NDArray]
    best: list[NDArray]
    memory: dict[str, Any]


class Checkpointer:
    """Writes snapshots under one name, keeps the one before, and reads back the newest that is whole."""

    def __init__(self, path: Path, fingerprint: dict[str, Any]) -> None:
        """Name the file.

        Args:
            path: Where the newest snapshot lies; the one before has ``.previous`` appended.
            fingerprint: What must be equal for a training to go on, in nested keys.
        """
        self._path = path
        self._previous = path.with_name(path.name + ".previous")
        self._part = path.with_name(path.name + ".part")
        self._fingerprint = flatten_fingerprint(fingerprint)
        self._cost = 0.0
        self._written = time.monotonic()

    def is_due(self) -> bool:
        """Whether enough time has gone by since the last one for its cost to stay small."""
        return time.monotonic() - self._written >= max(_MIN_SECONDS, self._cost / _SHARE)

    def save_snapshot(self, snapshot: Snapshot, started: float | None = None) -> None:
        """Write a snapshot to a temporary name and then rename it.

        Args:
            snapshot: What to write.
            started: ``time.monotonic()`` before the snapshot was taken, so that taking it counts as cost too.
        """
        started = time.monotonic() if started is None else started
        payload = _pack(snapshot, self._fingerprint)
        with one_line_disk_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with self._part.open("wb") as file:
                    file.write(_MAGIC + hashlib.sha256(payload).digest())
                    file.write(payload)
                    file.flush()
                    os.fsync(file.fileno())
                if self._path.exists():
                    self._path.replace(self._previous)
                self._part.replace(self._path)
            finally:
                self._part.unlink(missing_ok=True)
        self._written = time.monotonic()
        self._cost = self._written - started

    def load_snapshot(self) -> Snapshot | None:
        """Return the newest whole snapshot, or None; one of another recipe or other data is refused."""
        for path in (self._path, self._previous):
            if not path.is_file():
                continue
            found = _unpack(path)
            if found is None:
                _log.warning("Checkpoint %s is torn; looking for the one before it.", path)
                continue
            snapshot, fingerprint = found
            self._compare(path, fingerprint)
            return snapshot
        return None

    def remove(self) -> None:
        """Delete what was written."""
        for path in (self._path, self._previous, self._part):
            path.unlink(missing_ok=True)

    def _compare(self, path: Path, found: dict[str, Any]) -> None:
        for key in sorted({*found, *self._fingerprint}):
            was, now = found.get(key), self._fingerprint.get(key)
            if was != now:
                raise MammoscanError(
                    f"checkpoint {path}: {key} is {now!r} now, but was {was!r} when the training began; "
                    "go back to that value, or start anew with resume=false"
                )


def clear_checkpoints(folder: Path, parts: Iterable[str]) -> None:
    """Delete the checkpoints of trainings, so that a later resumption meets none of an earlier recipe.

    Args:
        folder: The training folder of a study.
        parts: The trainings: ``fold_0``, ``final``; those of a study's repeats lie in folders of their own.
    """
    for part in parts:
        for training in (folder / part, *folder.glob(f"*/{part}")):
            for file in (training / CHECKPOINTS).glob(f"{CHECKPOINT}*"):
                file.unlink(missing_ok=True)


def flatten_fingerprint(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested keys into dotted ones, and values into what JSON gives back."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, dict):
            flat |= flatten_fingerprint(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = json.loads(json.dumps(value, default=str))
    return flat


def _pack(snapshot: Snapshot, fingerprint: dict[str, Any]) -> bytes:
    notes = {"epoch": snapshot.epoch, "memory": snapshot.memory, "fingerprint": fingerprint}
    arrays: dict[str, Any] = {"notes": np.frombuffer(json.dumps(notes).encode(), dtype=np.uint8)}
    arrays |= {f"state_{i}": value for i, value in enumerate(snapshot.state)}
    arrays |= {f"best_{i}": value for i, value in enumerate(snapshot.best)}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _unpack(path: Path) -> tuple[Snapshot, dict[str, Any]] | None:
    content = path.read_bytes()
    start = len(_MAGIC) + _DIGEST_BYTES
    payload = content[start:]
    if content[:start] != _MAGIC + hashlib.sha256(payload).digest():
        return None
    try:
        with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
            notes = json.loads(arrays["notes"].tobytes())
            lists = {
                kind: [
                    arrays[f"{kind}_{i}"] for i in range(sum(name.startswith(f"{kind}_") for name in arrays))
                ]
                for kind in ("state", "best")
            }
    except (zipfile.BadZipFile, KeyError, ValueError):
        return None
    return Snapshot(notes["epoch"], lists["state"], lists["best"], notes["memory"]), notes["fingerprint"]
