"""Damaged requests get an answer or a closed connection, and the service goes on."""

from __future__ import annotations

import contextlib
import socket
from collections import Counter

import numpy as np
import requests
from corpus import mutate

from services import draw_png, run_service

ALLOWED = {200, 204, 400, 403, 404, 405, 408, 413, 421, 422, 501, 503}


def make_requests(port: int) -> list[bytes]:
    """Valid requests as they go over the wire."""
    made = []
    address = f"http://127.0.0.1:{port}"
    files = [("images", ("a.png", draw_png())), ("images", ("b.pgm", draw_png(kind="PPM")))]
    for request in (
        requests.Request("POST", f"{address}/predict?explain=true", files=files),
        requests.Request("POST", f"{address}/original", files=files[:1]),
        requests.Request("POST", f"{address}/feedback", json={"sha256": "0" * 64, "right": True}),
        requests.Request("GET", f"{address}/model"),
    ):
        prepared = request.prepare()
        head = f"{prepared.method} {prepared.path_url} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in prepared.headers.items())
        body = prepared.body or b""
        made.append(
            head.encode()
            + b"Connection: close\r\n\r\n"
            + (body if isinstance(body, bytes) else body.encode())
        )
    return made


def test_damaged_requests_are_answered_or_closed_and_the_service_goes_on(tmp_path) -> None:
    random = np.random.default_rng(0)
    found: Counter[int] = Counter()
    with run_service(idle_seconds=0.2, megabytes=2.0, feedback=tmp_path / "ratings.csv") as service:
        port = int(service.address.rpartition(":")[2])
        whole = make_requests(port)
        for case in range(100):
            head, gap, body = whole[case % len(whole)].partition(b"\r\n\r\n")
            # What damages the headers is mostly refused at once: half of it goes into the body alone.
            inside = case % 8 >= 4 and body
            content = head + gap + mutate(body, random) if inside else mutate(head + gap + body, random)
            with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                with contextlib.suppress(OSError):
                    client.sendall(content)
                answer = b""
                with contextlib.suppress(OSError):
                    while part := client.recv(65536):
                        answer += part
            status = int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else 0
            assert status in ALLOWED | {0}, (content[:500], answer[:300])
            found[status] += 1
        assert requests.get(f"{service.address}/health", timeout=20).json()["inside"] == 0
        files = {"images": ("a.png", draw_png())}
        assert requests.post(f"{service.address}/predict", files=files, timeout=20).status_code == 200
    assert found[200] >= 1
    assert found[400] > 5
