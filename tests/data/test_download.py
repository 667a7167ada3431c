from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import requests

from mammoscan.data import download
from mammoscan.data.download import download_file, hide_secrets
from mammoscan.errors import MammoscanError

Serve = Callable[[Path], tuple[str, list[str]]]
DATA = bytes(range(256)) * 4000


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "a set.tar.gz").write_bytes(DATA)
    return folder


def test_a_file_is_downloaded_once_and_found_again(tmp_path: Path, shelf: Path, serve: Serve) -> None:
    address, asked = serve(shelf)
    sha256 = hashlib.sha256(DATA).hexdigest()
    path = download_file(f"{address}/a%20set.tar.gz?token=1", tmp_path / "out", sha256)
    assert path.read_bytes() == DATA
    assert path.name == "a set.tar.gz"
    assert download_file(f"{address}/a%20set.tar.gz?token=1", tmp_path / "out", sha256.upper()) == path
    assert len(asked) == 1


def test_a_wrong_sum_keeps_nothing_and_says_both_sums(tmp_path: Path, shelf: Path, serve: Serve) -> None:
    address, _ = serve(shelf)
    with pytest.raises(MammoscanError, match=f"{hashlib.sha256(DATA).hexdigest()}, expected {'0' * 64}"):
        download_file(f"{address}/a set.tar.gz", tmp_path / "out", "0" * 64)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_kept_file_of_another_sum_is_downloaded_anew(tmp_path: Path, shelf: Path, serve: Serve) -> None:
    address, asked = serve(shelf)
    path = download_file(f"{address}/a set.tar.gz", tmp_path / "out")
    path.write_bytes(b"changed since")
    download_file(f"{address}/a set.tar.gz", tmp_path / "out", hashlib.sha256(DATA).hexdigest())
    assert path.read_bytes() == DATA
    assert len(asked) == 2


def test_a_broken_transfer_keeps_nothing_and_the_next_begins_anew(
    tmp_path: Path, shelf: Path, serve: Serve
) -> None:
    address, asked = serve(shelf)
    for _ in range(2):
        with pytest.raises(
            MammoscanError, match=r"Could not download .*/broken/x\.zip: .*broke off"
        ) as caught:
            download_file(f"{address}/broken/x.zip", tmp_path / "out")
        assert "\n" not in str(caught.value)
        assert list((tmp_path / "out").iterdir()) == []
    assert len(asked) == 2


def test_what_the_server_answered_is_named(tmp_path: Path, shelf: Path, serve: Serve) -> None:
    address, _ = serve(shelf)
    with pytest.raises(MammoscanError, match="the server answered 404"):
        download_file(f"{address}/nothing.zip", tmp_path / "out")


def test_a_failure_is_told_without_the_secrets_of_an_address(
    tmp_path: Path, shelf: Path, serve: Serve
) -> None:
    address, _ = serve(shelf)
    port = int(address.rpartition(":")[2])
    private = f"http://user:secret@127.0.0.1:{port}/broken/x.zip?key=secret"
    with pytest.raises(MammoscanError, match="Could not download http://127") as caught:
        download_file(private, tmp_path / "out")
    assert "secret" not in str(caught.value)
    assert hide_secrets(private) == f"http://127.0.0.1:{port}/broken/x.zip"


@pytest.mark.parametrize(
    ("error", "match"),
    [
        (requests.Timeout(), "did not answer in time"),
        (requests.HTTPError(), "the server answered with an error"),
        (OSError("No space left"), "No space left"),
    ],
)
def test_other_failures_are_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, match: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(requests, "get", fail)
    with pytest.raises(MammoscanError, match=match):
        download_file("http://127.0.0.1/x.zip", tmp_path / "out")


def test_the_bar_counts_megabytes_with_and_without_a_known_total() -> None:
    seen: list[tuple[int, int, str]] = []
    for done, total in [(3_000_000, 0), (2_000_000, 4_000_000), (4_000_000, 4_000_000)]:
        download._show_progress(lambda *args: seen.append(args), done, total)
    assert seen == [(3, 3, "MB"), (2, 4, "MB"), (4, 4, "MB")]


class TestServers:
    """What a server may do: break off, send elsewhere, send without end."""

    @pytest.fixture
    def server(self) -> Iterator[ThreadingHTTPServer]:
        class Handler(BaseHTTPRequestHandler):
            asked: ClassVar[list[str]] = []

            def do_GET(self) -> None:
                port = self.server.server_address[1]
                self.asked.append(self.headers.get("Range", ""))
                targets = {
                    "/near.zip": "/whole.zip",
                    "/far.zip": f"http://localhost:{port}/whole.zip",
                    "/file.zip": "file:///etc/passwd",
                    "/round.zip": "/round.zip",
                }
                if self.path in targets:
                    self.send_response(302)
                    self.send_header("Location", targets[self.path])
                    self.end_headers()
                    return
                start = int(self.headers.get("Range", "bytes=0-")[6:-1])
                self.send_response(206 if start else 200)
                self.send_header("Accept-Ranges", "bytes")
                if self.path == "/endless.zip":
                    self.end_headers()
                    with contextlib.suppress(OSError):
                        while True:
                            self.wfile.write(DATA)
                self.send_header("Content-Length", str(len(DATA) - start))
                self.end_headers()
                stop = start + 300_000 if self.path == "/breaks.zip" else len(DATA)
                self.wfile.write(DATA[start:stop])

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
        server.server_close()

    def fetch(self, server: ThreadingHTTPServer, name: str, folder: Path) -> Path:
        return download_file(f"http://127.0.0.1:{server.server_address[1]}/{name}", folder)

    def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(
        self, server: ThreadingHTTPServer, tmp_path: Path
    ) -> None:
        assert self.fetch(server, "breaks.zip", tmp_path).read_bytes() == DATA
        asked = server.RequestHandlerClass.asked
        assert asked[0] == ""
        assert all(one.startswith("bytes=") and one != "bytes=0-" for one in asked[1:])
        assert len(asked) == 4

    def test_another_place_on_the_same_host_is_followed(
        self, server: ThreadingHTTPServer, tmp_path: Path
    ) -> None:
        assert self.fetch(server, "near.zip", tmp_path).read_bytes() == DATA

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("far.zip", "leads to another host, http://localhost:.*give it as the address"),
            ("file.zip", "leads to another host"),
            ("round.zip", "leads on more than 5 times"),
        ],
    )
    def test_another_host_or_scheme_is_not(
        self, server: ThreadingHTTPServer, tmp_path: Path, name: str, words: str
    ) -> None:
        with pytest.raises(MammoscanError, match=words):
            self.fetch(server, name, tmp_path)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["endless.zip", "whole.zip"])
    def test_what_is_larger_than_there_is_room_for_is_ended(
        self, server: ThreadingHTTPServer, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(download, "MAX_BYTES", 500_000)
        with pytest.raises(MammoscanError, match="room for"):
            self.fetch(server, name, tmp_path)
        assert list(tmp_path.iterdir()) == []
