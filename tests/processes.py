"""The two servers of a packaged model, each in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from projects import FinishedRun

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def serve_with_mlflow(run: FinishedRun, model: Path) -> Iterator[str]:
    """Start ``mlflow models serve`` and yield its address once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["models", "serve", "-m", str(model), "--env-manager", "local", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *words],
        env=run.project.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


@dataclass
class Served:
    """A running ``mammoscan serve``."""

    run: FinishedRun
    process: subprocess.Popen[str]
    first_line: str
    address: str
    errors: Path

    def post(self, *files: tuple[str, bytes], query: str = "") -> requests.Response:
        sent = [("images", file) for file in files]
        return requests.post(f"{self.address}/predict{query}", files=sent, timeout=60)


@contextmanager
def serve_study(run: FinishedRun, *words: str) -> Iterator[Served]:
    """Start ``mammoscan serve`` with the model of a finished run and yield it once it listens."""
    errors = run.project.folder / "serve.log"
    words = ("serve", "--study", run.pipeline, "--model", run.tracked.info.run_id, "--port", "0", *words)
    with errors.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "mammoscan.commands", *words],
            cwd=run.project.folder,
            env=run.project.environment | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line + errors.read_text()
        yield Served(run, process, line, found[0], errors)
    finally:
        process.kill()
        process.wait()


def find_faults(page: Any) -> dict[str, list[str]]:
    """Return what axe-core calls serious or critical on a browser's page, with the elements at fault."""
    package = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    page.evaluate((Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then((result) => result.violations)")
    return {
        fault["id"]: [node["html"] for node in fault["nodes"]][:3]
        for fault in found
        if fault["impact"] in ("serious", "critical")
    }
