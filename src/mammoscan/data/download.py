"""Downloads that are kept only when they are whole."""

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

    A transfer that breaks leaves nothing behind: the next one starts anew.

    Args:
        address: An http or https address.
        folder: Where downloads go; the file gets a folder of its own, named after the address.
        sha256: The sum that the file must have, where it is known.

    Returns:
        The downloaded file.
    """
    target = folder / f"download-{hashlib.sha256(address.encode()).hexdigest()[:12]}"
    name = unquote(urlsplit(address).path).replace("\\", "/").rpartition("/")[2].lstrip(".") or "download"
    path = target / name
    if path.is_file() and (sha256 is None or _sum_file(path) == sha256.lower()):
        return path
    with stage_folder(target, replace=True) as partial:
        _fetch(address, partial / name)
        found = _sum_file(partial / name)
        if sha256 is not None and found != sha256.lower():
            raise MammoscanError(
                f"{hide_secrets(address)} has sha256 {found}, expected {sha256}: it is not the "
                "published file, or the transfer was tampered with; nothing was kept of it"
            )
    return path


def hide_secrets(address: str) -> str:
    """Return an address without its user, password and query, any of which may hold a credential."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


class _Bar:
    """What pooch's downloader expects of a progress bar, handed on to ours."""

    def __init__(self, show: Advance) -> None:
        self.total = 0
        self._done = 0
        self._show = show

    def update(self, count: int) -> None:
        self._done += count
        self._tell()

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        self._tell()

    def _tell(self) -> None:
        # Without a total from the server the bar is full, and only the count moves.
        total = self.total or self._done
        self._show(min(self._done, total) // MEGABYTE, max(total // MEGABYTE, 1), "MB")


def _fetch(address: str, path: Path) -> None:
    import pooch
    import requests
    import urllib3

    try:
        with show_progress(f"Downloading {path.name}") as show:
            # An archive that a server packs once more in transit would not be the published file.
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
        # The library's own text repeats the address, secrets included.
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


def _sum_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
