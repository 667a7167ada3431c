"""What each written file held: its digest lies beside it, so that a change made since is noticed.

Beside ``<file>`` lies ``.<file>.seal.json`` with one seal, or two while a new file takes the former one's place: a
process that is killed between both leaves a file that answers to one of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from mammoscan.atomic_write import write_whole
from mammoscan.errors import MammoscanError
from mammoscan.records.base import Record

RUN_VARIABLE = "MAMMOSCAN_RUN"
"""Which run writes; its worker processes inherit the variable."""


class Seal(Record):
    """What a file held when it was written.

    Attributes:
        sha256: Digest of its bytes.
        size: Its bytes.
        mtime_ns: Its time stamp: a file of this size and time is not read again.
        confirmed: When a run last wrote these bytes; an equal file keeps its own age.
        run: The run that did.
    """

    sha256: str
    size: int
    mtime_ns: int
    confirmed: float
    run: str | None = None


_SEALS = TypeAdapter(list[Seal])


@contextmanager
def write_sealed(path: Path) -> Iterator[Path]:
    """Write a file whole and seal it; a file whose bytes stay the same keeps its age."""
    with write_whole(path) as part:
        yield part
        status = part.stat()
        seal = Seal(
            sha256=hash_file(part),
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            confirmed=time.time(),
            run=os.environ.get(RUN_VARIABLE),
        )
        present = read_seal(path)
        if present is not None and present.sha256 == seal.sha256:
            kept = path.stat()
            os.utime(part, ns=(kept.st_atime_ns, kept.st_mtime_ns))
            seal = seal.model_copy(update={"mtime_ns": kept.st_mtime_ns})
            present = None
        _write_seals(path, [*([present] if present else []), seal])


def seal_path(file: Path) -> Path:
    """Return where the seal of ``file`` lies."""
    return file.with_name(f".{file.name}.seal.json")


def read_seal(file: Path) -> Seal | None:
    """Return the seal that fits the file's content; None where there is none.

    A file of the sealed size and time is taken at its word; any other is read once, and if it holds what was sealed (a
    copy, say), its new time is noted.
    """
    try:
        status = file.stat()
        seals = _SEALS.validate_json(seal_path(file).read_bytes())
    except (OSError, ValidationError):
        return None
    fitting = [seal for seal in seals if seal.size == status.st_size]
    for seal in reversed(fitting):
        if seal.mtime_ns == status.st_mtime_ns:
            return seal
    if not fitting:
        return None
    digest = hash_file(file)
    for seal in reversed(fitting):
        if seal.sha256 == digest:
            found = seal.model_copy(update={"mtime_ns": status.st_mtime_ns})
            with suppress(MammoscanError):  # a folder that cannot be written is read all the same
                _write_seals(file, [found])
            return found
    return None


def check_content(
    name: str, file: Path, remedy: str = "start from the node that writes it, or run the whole pipeline"
) -> None:
    """Refuse a file that does not hold what a run wrote there.

    Args:
        name: The catalog entry.
        file: Its file, which exists.
        remedy: What to do.
    """
    if read_seal(file) is not None:
        return
    found = "was changed since it was written" if seal_path(file).is_file() else "has no seal beside it"
    raise MammoscanError(f"{name}: {file.name} {found}; expected the bytes that a run wrote; {remedy}")


def made_at(file: Path) -> float:
    """Return when a run last wrote the file, or found that it would write the same."""
    written = file.stat().st_mtime
    seal = read_seal(file)
    return written if seal is None else max(written, seal.confirmed)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_seals(file: Path, seals: list[Seal]) -> None:
    with write_whole(seal_path(file)) as part:
        part.write_text(json.dumps([seal.model_dump() for seal in seals], indent=1) + "\n", encoding="utf-8")
