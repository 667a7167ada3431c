"""A map of a whole scan: read once, against the windows cut one by one and asked in batches.

One command, both in one process, taken in turn, so that whatever else the machine does hits both alike; processor
time is what neighbours disturb least::

    python benchmarks/scan_map.py --rounds 5

``whole scan`` asks about every place of the grid, ``breast`` only about those in a breast that covers a half-disc.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from mammoscan.inference.scan_inference import ScanMap, map_scan
from mammoscan.models import build_network
from mammoscan.params import MachineParams, Recipe, ViewParams

GRID, SIZE = 192, 48


def draw_masks() -> dict[str, np.ndarray]:
    row, column = np.mgrid[:GRID, :GRID]
    disc = (row - GRID / 2) ** 2 + (1.1 * column) ** 2 < (GRID / 2.2) ** 2
    return {"whole scan": np.ones((GRID, GRID), bool), "breast": disc}


def time_call(call: Callable[[], ScanMap]) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - processor


def measure(ask: Callable[..., ScanMap], rounds: int) -> list[str]:
    """Return the cells of a row."""
    windows, whole = (ask(convolve=convolve).probabilities for convolve in (False, True))
    times: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for _ in range(rounds):
        for convolve in times:
            times[convolve].append(time_call(partial(ask, convolve=convolve)))
    slow, fast = (np.median(times[convolve], axis=0) for convolve in (False, True))
    return [
        f"{int(np.isfinite(whole[..., 0]).sum()):,}",
        f"{1000 * slow[0]:,.0f} ms",
        f"{1000 * fast[0]:,.0f} ms",
        f"{slow[0] / fast[0]:.0f}",
        f"{slow[1] / fast[1]:.0f}",
        f"{float(np.nanmax(np.abs(windows - whole))):.1e}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--strides", type=int, nargs="+", default=[8, 4])
    options = parser.parse_args()
    model = build_network("small_cnn", (SIZE, SIZE, 1), 2, seed=0)
    grid = np.random.default_rng(0).integers(0, 256, (GRID, GRID), dtype=np.uint8)
    words = {"recipe": Recipe(epochs=1, scale="standard"), "machine": MachineParams()}

    print(
        "| places | stride | views | windows | one by one | read once | times as fast | processor | difference |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name, mask in draw_masks().items():
        for stride in options.strides:
            for eight in (False, True):
                views = ViewParams(prediction=eight)
                ask = partial(map_scan, model, grid, mask, stride, views=views, **words)
                cells = [name, str(stride), "8" if eight else "1", *measure(ask, options.rounds)]
                print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
