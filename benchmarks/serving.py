"""The service under load: one client after another against 32 at once, with and without sharing calls of the model.

Starts `mammoscan serve` twice (`--batch 1` and `--batch 16`) and sends images over loopback on connections that stay
open. The settings take turns within a round, so a busy machine slows all of them.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

BATCHES = (1, 16)
BOUNDARY = "a-line-that-no-image-holds"


def write_model(folder: Path, runtime: str) -> Path:
    """An untrained network of the study's kind: how fast it answers does not depend on what it learnt."""
    from mammoscan.models import build_network
    from mammoscan.params import Recipe, ViewParams
    from mammoscan.serving.manifest import write_manifest

    shape = (48, 48, 1)
    recipe = Recipe(epochs=1, scale="standard")
    build_network(recipe.network.name, shape, 2, 0).save(folder / "network.keras")
    card = {
        "study": "mias",
        "protocol": "patient",
        "data": "phantom",
        "notice": "Untrained.",
        "run_id": "",
        "labels": ["benign", "malignant"],
        "positive": "malignant",
        "threshold": 0.5,
        "shape": shape,
        "training": recipe.model_dump(mode="json"),
        "views": ViewParams(stored="one", prediction=True).model_dump(mode="json"),
        "input": {"kind": "window", "size": 48, "grid": {"size": 192, "margin": 2}, "scan_side": 1024},
    }
    (folder / "card.json").write_text(json.dumps(card))
    if runtime == "onnx":
        from mammoscan.serving.export import export_model

        export_model(folder, np.random.default_rng(0).integers(0, 256, (16, *shape)).astype(np.uint8), 16)
    write_manifest(folder)
    return folder


@contextmanager
def start_service(model: str, study: str, runtime: str, batch: int, waiting: int = 256) -> Iterator[int]:
    command = [sys.executable, "-m", "mammoscan.commands", "serve", "--port", "0"]
    command += ["--max-waiting", str(waiting)]
    command += ["--study", study, "--model", model, "--runtime", runtime, "--batch", str(batch)]
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    )
    assert server.stdout is not None
    line = server.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
    assert found, line
    try:
        yield int(found[1])
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def draw_bodies(side: int, count: int = 16) -> list[bytes]:
    rng = np.random.default_rng(0)
    bodies = []
    for _ in range(count):
        small = Image.fromarray(rng.integers(0, 256, (side // 8, side // 8), dtype=np.uint8))
        file = io.BytesIO()
        small.resize((side, side), Image.Resampling.BICUBIC).save(file, "PNG")
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="images"; filename="a.png"\r\n\r\n'
        bodies.append(head.encode() + file.getvalue() + f"\r\n--{BOUNDARY}--\r\n".encode())
    return bodies


def ask(port: int, bodies: list[bytes], images: int) -> list[float]:
    """One client: image after image on one connection; the seconds of each."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    seconds = []
    for k in range(images):
        started = time.perf_counter()
        connection.request("POST", "/predict", bodies[k % len(bodies)], kind)
        reply = connection.getresponse()
        content = reply.read()
        assert reply.status == 200, content
        seconds.append(time.perf_counter() - started)
    connection.close()
    return seconds


def measure(port: int, bodies: list[bytes], clients: int, images: int) -> tuple[float, list[float]]:
    """Images a second of all clients together, and the seconds of each image."""
    with ThreadPoolExecutor(clients) as pool:
        started = time.perf_counter()
        parts = list(pool.map(lambda _: ask(port, bodies, images // clients), range(clients)))
        wall = time.perf_counter() - started
    seconds = [one for part in parts for one in part]
    return len(seconds) / wall, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", default="mias")
    parser.add_argument(
        "--model", help="a run's id, models:/… or a folder; an untrained network of mias unless given"
    )
    parser.add_argument("--runtime", default="keras", choices=["keras", "onnx"])
    parser.add_argument("--side", type=int, default=256, help="pixels of a side of the images sent")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--images", type=int, default=320, help="a setting and round")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        model = asked.model or str(write_model(Path(name), asked.runtime))
        ports = {
            batch: stack.enter_context(start_service(model, asked.study, asked.runtime, batch))
            for batch in BATCHES
        }
        bodies = draw_bodies(asked.side)
        settings = list(product(BATCHES, (1, asked.clients)))
        rates: dict[tuple[int, int], list[float]] = {setting: [] for setting in settings}
        times: dict[tuple[int, int], list[float]] = {setting: [] for setting in settings}
        for setting in settings:
            measure(ports[setting[0]], bodies, setting[1], 2 * asked.clients)
        for _ in range(asked.rounds):
            for batch, clients in settings:
                rate, seconds = measure(ports[batch], bodies, clients, asked.images)
                rates[batch, clients].append(rate)
                times[batch, clients] += seconds
    print(
        f"load of the machine: {os.getloadavg()[0]:.1f}; {asked.rounds} rounds of {asked.images} images, "
        f"{asked.side} x {asked.side} pixels, {len(bodies[0]):,} bytes, runtime {asked.runtime}"
    )
    print("| images a call | clients | images/s, median (range) | ratio to 1 client | p50, ms | p99, ms |")
    print("|---|---|---|---|---|---|")
    for batch, clients in settings:
        found, alone = rates[batch, clients], rates[batch, 1]
        ratio = statistics.median(many / one for many, one in zip(found, alone, strict=True))
        middle, worst = (1000 * np.quantile(times[batch, clients], q) for q in (0.5, 0.99))
        print(
            f"| {'at most ' if batch > 1 else ''}{batch} | {clients} | {statistics.median(found):.0f} "
            f"({min(found):.0f} to {max(found):.0f}) | {ratio:.2f} | {middle:.0f} | {worst:.0f} |"
        )


if __name__ == "__main__":
    main()
