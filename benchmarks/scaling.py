"""How the cost of an epoch grows with the number of images: the table of docs/scaling.md.

Each size is trained in a process of its own, so that its peak memory is its own. Images are those of a phantom region
each, repeated with noise into a memory-mapped file; the network is the small one.

    python benchmarks/scaling.py
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

REGIONS = 119
SIDE = 48
BLOCK = 4096


def write_images(path: Path, count: int) -> None:
    """Write ``count`` images as a stream: REGIONS different ones, repeated with noise."""
    rng = np.random.default_rng(0)
    base = rng.normal(128, 32, (REGIONS, SIDE, SIDE, 1))
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, SIDE, SIDE, 1))
    for start in range(0, count, BLOCK):
        rows = np.arange(start, min(start + BLOCK, count))
        noise = rng.normal(0, 8, (len(rows), SIDE, SIDE, 1))
        pixels[rows] = np.clip(base[rows % REGIONS] + noise, 0, 255).astype(np.uint8)
    pixels.flush()


def measure(path: Path, count: int, streamed: bool, epochs: int) -> dict[str, float]:
    """Train and return seconds and processor seconds of the last epochs, and the peak memory of this process."""
    from mammoscan.params import MachineParams, Recipe, ViewParams
    from mammoscan.training import pixel_blocks
    from mammoscan.training.setup import TrainingData
    from mammoscan.training.train import TrainingOptions, train_network

    if streamed:
        pixel_blocks.RESIDENT_BYTES = 0
    pixels = np.load(path, mmap_mode="r")
    clock = [sum(os.times()[:2])]
    _, history = train_network(
        TrainingData(pixels, np.arange(count) % 2, np.arange(count), np.empty(0, dtype=int), 2),
        recipe=Recipe.model_validate({"epochs": 1 + epochs, "scale": "standard"}),
        machine=MachineParams(device="cpu"),
        views=ViewParams(),
        options=TrainingOptions(on_epoch=lambda _: clock.append(sum(os.times()[:2]))),
    )
    # The first epoch also traces the program.
    return {
        "seconds": float(np.median([epoch.seconds for epoch in history.epochs[1:]])),
        "processor": float(np.median(np.diff(clock)[1:])),
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--factors", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--epochs", type=int, default=1, help="measured epochs, after the first one")
    parser.add_argument("--one", nargs=3, metavar=("FILE", "COUNT", "STREAMED"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        path, count, streamed = asked.one
        print(json.dumps(measure(Path(path), int(count), streamed == "True", asked.epochs)))
        return
    print(
        "| images | held or streamed | s an epoch | processor s | images/s | images/processor s | peak memory |"
    )
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for factor in asked.factors:
            count, path = REGIONS * factor, Path(folder) / f"{factor}.npy"
            write_images(path, count)
            for streamed in (False, True):
                words = ["--one", str(path), str(count), str(streamed), "--epochs", str(asked.epochs)]
                done = subprocess.run(
                    [sys.executable, __file__, *words], capture_output=True, text=True, check=True
                )
                told = json.loads(done.stdout.splitlines()[-1])
                print(
                    f"| {count:,} | {'streamed' if streamed else 'held'} | {told['seconds']:.2f} "
                    f"| {told['processor']:.2f} | {count / told['seconds']:,.0f} "
                    f"| {count / told['processor']:,.0f} | {told['memory_mb']:,.0f} MB |",
                    flush=True,
                )
            path.unlink()


if __name__ == "__main__":
    main()
