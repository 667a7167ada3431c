"""The digests that bind a packaged model's network, card and threshold, so that a changed file is noticed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from mammoscan.atomic_write import write_whole
from mammoscan.errors import MammoscanError

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
FORMAT = 1


def write_manifest(folder: Path) -> Path:
    """Write the digests of all files of a packaged model; a signature of former ones is deleted.

    Args:
        folder: Holds ``network.keras``, ``card.json`` (with the threshold) and what lies beside them.
    """
    manifest = folder / MANIFEST
    text = json.dumps({"format": FORMAT, "sha256": _digest_files(folder)}, indent=1, sort_keys=True) + "\n"
    try:
        (folder / SIGNATURE).unlink(missing_ok=True)
        with write_whole(manifest) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MammoscanError(
            f"{manifest} cannot be written ({error.strerror}): copy the model to a folder of your own"
        ) from error
    return manifest


def check_manifest(folder: Path) -> None:
    """Raise ``MammoscanError`` with the file's name where a packaged model is not as it was written."""
    manifest = folder / MANIFEST
    try:
        listed = json.loads(manifest.read_text(encoding="utf-8"))
        expected: dict[str, str] = dict(listed["sha256"])
        known = listed["format"] == FORMAT
    except FileNotFoundError as error:
        raise MammoscanError(
            f"{folder} holds no {MANIFEST}, so its files cannot be checked; if you trust "
            f"them, write one: mammoscan sign {folder}"
        ) from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise MammoscanError(f"{manifest} cannot be read ({error}): get the model again") from error
    if not known:
        raise MammoscanError(
            f"{manifest} has format {listed['format']!r}, expected {FORMAT}: update Mammoscan"
        )
    found = _digest_files(folder)
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            raise MammoscanError(
                f"{folder / name} is missing, though {MANIFEST} lists it: get the model again"
            )
        if name not in expected:
            raise MammoscanError(
                f"{folder / name} is not listed in {MANIFEST}: delete it, or if you trust it: mammoscan sign {folder}"
            )
        if found[name] != expected[name]:
            raise MammoscanError(
                f"{folder / name} was changed since the model was written: its digest is {found[name][:12]}…, "
                f"{MANIFEST} says {expected[name][:12]}…; get the model again"
            )


def _digest_files(folder: Path) -> dict[str, str]:
    digests = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name not in (MANIFEST, SIGNATURE) and not path.name.startswith("."):
            with path.open("rb") as file:
                digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests
