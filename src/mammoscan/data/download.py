"""Downloads, kept only when they are complete."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from mammoscan.data.atomic_folder import stage_folder
from mammoscan.errors import MammoscanError
from mammoscan.progress import Advance, show_progress

# Seconds to wait for the connection, and for the next bytes.
TIMEOUT = (15, 60)
CHUNK = 1 << 18
MEGABYTE = 1_000_000


def download_file(address: str, folder: Path, sha256: str | None = None) -> Path:
    """Download a file once, and find it there the next time.

    An interrupted transfer leaves nothing behind; the next one starts from zero.

    Args:
        address: An http or https address.
        folder: Where downloads go; each file gets its own folder, named after the address.
        sha256: The expected checksum, if known.

    Returns:
        The downloaded file.
    """
    target = folder / f"download-{hashlib.sha256(address.encode()).hexdigest()[:12]}"
    name = unquote(urlsplit(address).path).replace("\\", "/").rpartition("/")[2].lstrip(".") or "download"
    path = target / name
    if path.is_file() and (sha256 is None or _hash_file(path) == sha256.lower()):
        return path
    with stage_folder(target, replace=True) as partial:
        _fetch(address, partial / name)
        found = _hash_file(partial / name)
        if sha256 is not None and found != sha256.lower():
            raise MammoscanError(
                f"{hide_secrets(address)} has sha256 {found}, expected {sha256}: it is not the "
                "published file, or the transfer was tampered with; nothing was kept of it"
            )
    return path


def hide_secrets(address: str) -> str:
    """Return an address without user, password and query, which may hold credentials."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


class _Bar:
    """Adapts our progress display to the interface that pooch expects of a progress bar."""

    def __init__(self, show: Advance) -> None:
        self.total = 0
        self._done = 0
        self._show = show

    def update(self, count: int) -> None:
        self._done += count
        self._show_progress()

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        self._show_progress()

    def _show_progress(self) -> None:
        # If the server sends no total, the bar is full and only the count moves.
        total = self.total or self._done
        self._show(min(self._done, total) // MEGABYTE, max(total // MEGABYTE, 1), "MB")


def _fetch(address: str, path: Path) -> None:
    import pooch
    import requests
    import urllib3

    try:
        with show_progress(f"Downloading {path.name}") as show:
            # A server that compresses in transit would send other bytes than the published file's.
            headers = {"Accept-Encoding": "identity"}
            fetch = pooch.HTTPDownloader(
                progressbar=_Bar(show), chunk_size=CHUNK, timeout=TIMEOUT, headers=headers
            )
            fetch(address, str(path), None)
    except requests.HTTPError as error:
        _refuse(address, f"the server answered {_name_status(error.response)}", error)
    except requests.Timeout as error:
        _refuse(address, "the server did not answer in time", error)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        # The library's own text repeats the address with its secrets.
        _refuse(address, f"the connection failed or broke off ({type(error).__name__})", error)
    except OSError as error:
        _refuse(address, str(error), error)


def _name_status(response: Any) -> str:
    return "with an error" if response is None else f"{response.status_code} {response.reason}"


def _refuse(address: str, why: str, error: Exception) -> None:
    raise MammoscanError(
        f"Could not download {hide_secrets(address)}: {why}; expected an archive: "
        "try again, or download it by hand and give its path"
    ) from error


def _hash_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
