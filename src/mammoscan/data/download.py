"""Downloads, kept only when they are complete."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from mammoscan.data.atomic_folder import stage_folder
from mammoscan.errors import MammoscanError
from mammoscan.progress import Advance, show_progress

if TYPE_CHECKING:
    import requests

# Seconds to wait for the connection, and for the next bytes.
TIMEOUT = (15, 60)
CHUNK = 1 << 18
MEGABYTE = 1_000_000
MAX_BYTES = 100_000 * MEGABYTE
MAX_REDIRECTS = 5
MAX_ATTEMPTS = 4


def download_file(address: str, folder: Path, sha256: str | None = None) -> Path:
    """Download a file once, and find it there the next time.

    A transfer that breaks off goes on where it stopped, if the server can; one that fails leaves nothing behind.

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


def _fetch(address: str, path: Path) -> None:
    import requests
    import urllib3

    try:
        with show_progress(f"Downloading {path.name}") as show, path.open("wb") as file:
            for attempt in range(MAX_ATTEMPTS):
                with _open(address, file.tell()) as response:
                    try:
                        _receive(response, file, show)
                        return
                    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                        # A server that sends parts of a file is asked for the rest.
                        if response.headers.get("Accept-Ranges") != "bytes" or attempt == MAX_ATTEMPTS - 1:
                            raise
    except requests.HTTPError as error:
        _refuse(address, f"the server answered {_name_status(error.response)}", error)
    except requests.Timeout as error:
        _refuse(address, "the server did not answer in time", error)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        # The library's own text repeats the address with its secrets.
        _refuse(address, f"the connection failed or broke off ({type(error).__name__})", error)
    except OSError as error:
        _refuse(address, str(error), error)


def _receive(response: requests.Response, file: IO[bytes], show: Advance) -> None:
    """Write an answer behind what a file holds already, or in its place if the server sends all of it again."""
    import requests

    done = file.tell()
    if done and response.status_code != requests.codes.partial_content:
        done = file.seek(0)
        file.truncate()
    announced = response.headers.get("Content-Length", "")
    total = done + int(announced) if announced.isdigit() else 0
    room = min(MAX_BYTES, done + shutil.disk_usage(Path(file.name).parent).free)
    if total > room:
        raise OSError(f"it has {total:,} bytes, and there is room for {room:,}")
    for chunk in response.iter_content(CHUNK):
        done += len(chunk)
        if done > room:
            raise OSError(f"it has more than the {room:,} bytes that there is room for")
        file.write(chunk)
        _show_progress(show, done, total)
    if done < total:
        raise requests.ConnectionError(f"{done} of {total} bytes")


def _show_progress(show: Advance, done: int, total: int) -> None:
    # If the server sends no total, the bar is full and only the count moves.
    total = max(total, done)
    show(done // MEGABYTE, max(total // MEGABYTE, 1), "MB")


def _open(address: str, start: int) -> requests.Response:
    """Ask for a file from a byte on; another host than the one named is not followed to."""
    import requests

    # A server that compresses in transit would send other bytes than the published file's.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    for _ in range(MAX_REDIRECTS):
        response = requests.get(address, headers=headers, timeout=TIMEOUT, stream=True, allow_redirects=False)
        if not response.is_redirect:
            response.raise_for_status()
            return response
        target = urljoin(address, response.headers["Location"])
        response.close()
        if urlsplit(target).scheme not in ("http", "https") or (
            urlsplit(target).hostname != urlsplit(address).hostname
        ):
            raise OSError(
                f"it leads to another host, {hide_secrets(target)}; if you trust that, give it as the address"
            )
        if urlsplit(address).scheme == "https" and urlsplit(target).scheme == "http":
            raise OSError(f"it leads to an unencrypted address, {hide_secrets(target)}")
        address = target
    raise OSError(f"it leads on more than {MAX_REDIRECTS} times")


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
