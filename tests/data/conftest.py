"""Tiny mini-MIAS folders, and a web server on the loopback that behaves badly on demand."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tiny_mias import NOTES, make_pgm

from mammoscan.data import mias


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of four scans whose sums are, for the test, the published ones."""
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "Info.txt").write_text(NOTES)
    sums = {}
    for number in range(1, 5):
        data = make_pgm(number)
        (folder / f"mdb{number:03d}.pgm").write_bytes(data)
        sums[f"mdb{number:03d}.pgm"] = hashlib.sha256(data).hexdigest()
    monkeypatch.setattr(mias, "read_manifest", lambda _name: sums)
    return folder


class _Handler(SimpleHTTPRequestHandler):
    """Serves a folder; under /broken/ it promises more bytes than it sends."""

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        if not self.path.startswith("/broken/"):
            return super().do_GET()
        data = b"half of it"
        self.send_response(200)
        self.send_header("Content-Length", str(2 * len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = True
        return None

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], tuple[str, list[str]]]]:
    """Serve a folder; returns its address and the list of the paths that were asked for."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    servers = []

    def start(folder: Path) -> tuple[str, list[str]]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
        server.requests = []
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}", server.requests

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
