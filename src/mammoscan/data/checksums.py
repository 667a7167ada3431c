"""Checksums: comparing files with the published ones, and fingerprints of folders."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from mammoscan.errors import MammoscanError

NAMED = 10
# Files that one task hashes.
PART = 256


@dataclass(frozen=True)
class Difference:
    """Files that differ from the published ones, by name."""

    changed: list[str]
    missing: list[str]
    unexpected: list[str]

    def __bool__(self) -> bool:
        return bool(self.changed or self.missing or self.unexpected)

    def __str__(self) -> str:
        parts = (("changed", self.changed), ("missing", self.missing), ("unexpected", self.unexpected))
        return "; ".join(f"{len(names)} {word}: {list_first(names)}" for word, names in parts if names)


def list_first(names: list[str]) -> str:
    """List the first ten names and count the rest."""
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


def read_manifest(name: str) -> dict[str, str]:
    """Read a list of checksums from the package: lower-case file name to sha256."""
    text = (files("mammoscan.data") / name).read_text(encoding="utf-8")
    lines = (line.split(maxsplit=1) for line in text.splitlines() if line.strip())
    return {path.rpartition("/")[2].lower(): digest for digest, path in lines}


def hash_files(paths: Iterable[Path]) -> dict[str, str]:
    """Hash files in threads (hashing releases the GIL): lower-case file name to sha256."""
    paths = list(paths)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 2)) as pool:
        return dict(zip((path.name.lower() for path in paths), pool.map(_hash_file, paths), strict=True))


def hash_tree(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Hash files by their relative paths in threads, many per task so that 250,000 small files take seconds."""

    def hash_some(some: Sequence[str]) -> list[str]:
        return [_hash_file(folder / name) for name in some]

    parts = [names[start : start + PART] for start in range(0, len(names), PART)]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 2)) as pool:
        digests = [digest for part in pool.map(hash_some, parts) for digest in part]
    return dict(zip(names, digests, strict=True))


def compare_checksums(found: Mapping[str, str], expected: Mapping[str, str]) -> Difference:
    """Return which files changed, are missing or were not expected."""
    return Difference(
        changed=sorted(name for name in found if name in expected and found[name] != expected[name]),
        missing=sorted(set(expected) - set(found)),
        unexpected=sorted(set(found) - set(expected)),
    )


def fingerprint_checksums(sums: Mapping[str, str]) -> str:
    """Return one sha256 for a set of named files, independent of their order."""
    text = "".join(f"{name} {digest}\n" for name, digest in sorted(sums.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def _hash_file(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise MammoscanError(f"{path} cannot be read: {error.strerror}; expected a readable file") from error
