"""Identifiers, file names and folders as keyed hashes in everything that leaves the machine.

Who has the key can compute the hash of a name again; who has not can neither turn it back nor try all names.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from mammoscan.errors import MammoscanError

KEY_FILE = Path("conf/local/privacy.key")
# Columns of tables that name a sample, a patient or a file.
COLUMNS = (
    "sample_id",
    "patient_id",
    "source",
    "scan",
    "image",
    "file",
    "slide",
    "other_sample_id",
    "other_patient_id",
)
# What is shorter is a number or a letter, which stands in every file.
MIN_LENGTH = 4
TEXT_SUFFIXES = (".csv", ".json", ".html", ".md", ".txt", ".svg", ".yml")
_HASHED = re.compile(r"id-[0-9a-f]{12}")


_active: Pseudonyms | None = None


def activate(pseudonyms: Pseudonyms | None) -> None:
    """Set by which key ``hash_name`` hashes in this process; None turns it off."""
    global _active
    _active = pseudonyms


def hash_name(name: str) -> str:
    """Return a name as a report or a figure may show it."""
    return name if _active is None else _active.hash(name)


class Pseudonyms:
    """Hashes of identifiers with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._hashes: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None

    @classmethod
    def open(cls, project: Path) -> Pseudonyms:
        """Read the project's key; the first time, make it, for its owner's eyes only."""
        file = project / KEY_FILE
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(handle, "w") as stream:
                    stream.write(secrets.token_hex(32))
            return cls(bytes.fromhex(file.read_text(encoding="utf-8").strip()))
        except (OSError, ValueError) as error:
            raise MammoscanError(
                f"privacy.hash_ids: the key {file} cannot be read or made ({error}); delete it to get a new one"
            ) from error

    def hash(self, name: Any) -> Any:
        """Return the hash of an identifier; what is none, or is hashed already, stays."""
        if not isinstance(name, str) or not name or _HASHED.fullmatch(name):
            return name
        return f"id-{hmac.new(self._key, name.encode('utf-8', 'surrogatepass'), hashlib.sha256).hexdigest()[:12]}"

    def hash_table(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table with hashed identifiers."""
        named = [column for column in COLUMNS if column in table.columns]
        return table.assign(**{column: table[column].map(self.hash) for column in named})

    def learn(self, names: Iterable[Any]) -> None:
        """Remember identifiers, so that they are found in texts."""
        new = {
            name for name in names if isinstance(name, str) and len(name) >= MIN_LENGTH
        } - self._hashes.keys()
        if new:
            self._hashes |= {name: self.hash(name) for name in new}
            self._pattern = None

    def learn_table(self, table: pd.DataFrame) -> None:
        """Remember the identifiers of a table, and its files' names without their folders and suffixes."""
        for column in set(COLUMNS) & set(table.columns):
            names = set(table[column].dropna().astype(str))
            self.learn(names)
            if column in ("source", "file", "image"):
                self.learn({part for name in names for part in (Path(name).name, Path(name).stem)})

    def learn_folder(self, folder: Path) -> None:
        """Remember a folder's path and the names of the files in it; without its suffix a name must hold a digit."""
        self.learn([str(folder), folder.as_uri()] if folder.is_absolute() else [str(folder)])
        for path in folder.rglob("*") if folder.is_dir() else ():
            if path.is_file() and path.suffix:
                self.learn((path.relative_to(folder).as_posix(), path.name))
                # A plain word, "benign" say, stands in every report.
                self.learn([path.stem] if any(map(str.isdigit, path.stem)) else [])

    def scrub(self, text: str) -> str:
        """Return a text with the hashes of all identifiers that are known."""
        if not self._hashes:
            return text
        if self._pattern is None:
            longest_first = sorted(self._hashes, key=len, reverse=True)
            self._pattern = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, longest_first))})(?!\w)")
        return self._pattern.sub(lambda match: self._hashes[match[0]], text)

    def scrub_file(self, file: Path, folder: Path) -> Path:
        """Write a scrubbed copy of a text file into a folder; any other file is returned as it is."""
        if file.suffix.lower() not in TEXT_SUFFIXES:
            return file
        copy = folder / file.name
        if file.suffix == ".csv":
            table = self.hash_table(pd.read_csv(file, dtype=str, keep_default_na=False))
            copy.write_text(self.scrub(table.to_csv(index=False)), encoding="utf-8")
        else:
            copy.write_text(self.scrub(file.read_text(encoding="utf-8")), encoding="utf-8")
        return copy
