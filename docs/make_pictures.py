"""Draw the pictures of the docs anew: the report, the graph as Kedro-Viz shows it, and the runs as MLflow does.

Run ``kedro run --pipeline mias`` first, then ``python docs/make_pictures.py``. It needs the extra ``dev`` and a
Chromium on the path. Only a phantom is ever drawn: where the last run was on other data it stops.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
MOST_BYTES = 400_000
REPORT_SIZE = (1280, 960)
GRAPH_SIZE = (1600, 1000)
RUNS_HEIGHT = 560
GRAPH_DOTS = 2  # a pixel of the page; the labels are small
VIZ_STARTS_WITHIN_S = 120
# No tour, no side bar: the graph alone.
VIZ_SETTINGS = {
    "theme": "light",
    "showFeatureHints": False,
    "layer": {"visible": True},
    "visible": {"graph": True, "miniMap": False, "sidebar": False, "code": False, "traceback": False},
}


def find_report(project: Path) -> Path:
    """Return the report of the last run of ``mias``, which must be on a phantom."""
    record, report = (
        project / "data" / folder / "mias" / name
        for folder, name in (("01_raw", "record.json"), ("08_reporting", "report.html"))
    )
    if not report.is_file() or not record.is_file():
        sys.exit(f"{report} is not there: run kedro run --pipeline mias first")
    kind = json.loads(record.read_text())["kind"]
    if kind != "phantom":
        sys.exit(
            f"{record} says {kind!r}, expected 'phantom': nothing drawn from real scans goes into the docs"
        )
    return report


def find_port() -> int:
    """Return a free port; Kedro-Viz takes none of the high ones that the system would give."""
    for port in range(4150, 4350):
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    sys.exit("no free port between 4150 and 4350")


@contextmanager
def serve_graph(project: Path) -> Iterator[str]:
    """Start Kedro-Viz on a free port of this machine, and end it with all its processes."""
    port = find_port()
    words = f"viz run --host 127.0.0.1 --port {port} --no-browser ".split()
    server = subprocess.Popen(
        [sys.executable, "-m", "kedro", *words],
        cwd=project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/api/main", server)
        yield address
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


@contextmanager
def serve_runs(project: Path) -> Iterator[str]:
    """Start ``mammoscan ui``, yield the address that it prints, and end it."""
    words = f"ui --no-browser --port {find_port()}".split()
    server = subprocess.Popen(
        [sys.executable, "-m", "mammoscan.commands", *words],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait(30)


def wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    """Return when the server answers."""
    end = time.monotonic() + VIZ_STARTS_WITHIN_S
    while time.monotonic() < end:
        if server.poll() is not None:
            sys.exit(f"kedro viz ended with {server.returncode} before it answered at {address}")
        try:
            urllib.request.urlopen(address, timeout=30).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
        else:
            return
    sys.exit(f"kedro viz did not answer at {address} within {VIZ_STARTS_WITHIN_S} s")


def draw_report(browser: Browser, report: Path) -> Path:
    """Take the top of the report."""
    width, height = REPORT_SIZE
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(report.resolve().as_uri(), wait_until="load")
    target = PICTURES / "report.png"
    page.screenshot(path=target)
    page.close()
    return target


def draw_graph(browser: Browser, address: str) -> Path:
    """Take the first screen of the graph, nothing clicked."""
    width, height = GRAPH_SIZE
    page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=GRAPH_DOTS)
    page.add_init_script(f"localStorage.setItem('KedroViz', JSON.stringify({json.dumps(VIZ_SETTINGS)}))")
    page.goto(address, wait_until="load")
    page.wait_for_selector(".pipeline-node", timeout=60_000)
    page.get_by_text("Dismiss", exact=True).click()
    page.mouse.move(width - 20, height // 2)
    # The graph glides to its new place.
    page.wait_for_timeout(3_000)
    target = PICTURES / "graph.png"
    page.screenshot(path=target)
    page.close()
    return target


def draw_runs(browser: Browser, address: str) -> Path:
    """Take MLflow's list of runs with the newest one of ``mias`` unfolded."""
    width, height = GRAPH_SIZE
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(address, wait_until="load")
    run = page.get_by_role("link", name="PHANTOM mias", exact=True).first
    run.wait_for(timeout=60_000)
    for button in ("Close", "Hide banner"):  # MLflow's assistant, and that the columns are somebody's choice
        page.get_by_role("button", name=button).first.click()
    run.locator("xpath=ancestor::*[@role='gridcell']").locator("button").first.click()
    page.get_by_role("link", name="PHANTOM fold 1", exact=True).first.wait_for(timeout=60_000)
    page.mouse.move(width - 20, height // 2)
    target = PICTURES / "runs.png"
    page.screenshot(path=target, clip={"x": 0, "y": 0, "width": width, "height": RUNS_HEIGHT})
    page.close()
    return target


def shrink_picture(picture: Path) -> None:
    """Keep 256 colours, which is enough for a page of text and plots."""
    with Image.open(picture) as image:
        small = image.convert("RGB").quantize(256)
    small.save(picture, optimize=True)
    size = picture.stat().st_size
    if size > MOST_BYTES:
        sys.exit(f"{picture} has {size:,} bytes, expected at most {MOST_BYTES:,}: take less of the page")
    sys.stdout.write(f"{picture}: {size:,} bytes\n")


def main() -> None:
    """Draw all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path, default=ROOT, help="project folder whose last run is drawn")
    project = parser.parse_args().project.resolve()
    report = find_report(project)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium on the path: install one, e.g. apt-get install chromium")
    from playwright.sync_api import sync_playwright

    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        shrink_picture(draw_report(browser, report))
        with serve_graph(project) as address:
            shrink_picture(draw_graph(browser, address))
        with serve_runs(project) as address:
            shrink_picture(draw_runs(browser, address))
        browser.close()


if __name__ == "__main__":
    main()
