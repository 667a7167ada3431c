"""Measure packing: images decoded once into one array, against decoding them in every epoch as Keras does.

Run ``python benchmarks/packing.py`` for 10,000 patches of 50 x 50 and 600 chest films packed to 500 x 500, drawn for
the occasion; ``--patches 100000 --films 6000`` for the sizes of the real sets. Every figure comes from a process of
its own: the time of its work without start-up, and the most memory that it ever held, libraries included. Files are
in the page cache for all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

BATCH = 32
# So many pictures are drawn; every file is a piece of one of them, each at a place of its own.
DRAWN = 24


class Kind(NamedTuple):
    """One kind of images: the network's size and channels, and a file's ending."""

    size: int
    channels: int
    suffix: str


KINDS = {"patches": Kind(50, 3, ".png"), "films": Kind(500, 1, ".jpeg")}


def draw_pictures(kind: str) -> list[np.ndarray]:
    """Draw what the files are cut from."""
    from mammoscan.phantoms.idc import draw_slide
    from mammoscan.phantoms.pneumonia import ChestLook, draw_chest

    if kind == "patches":
        return [draw_slide(number, 7).picture for number in range(DRAWN)]
    look = ChestLook(height=1010, width=1330, strength=0.5, patches=2, exposure=0.0, noise=0.02)
    return [draw_chest(look, [7, number, 0]) for number in range(DRAWN)]


def write_files(folder: Path, kind: str, count: int) -> None:
    """Write ``count`` image files under two labels."""
    pictures, suffix = draw_pictures(kind), KINDS[kind].suffix
    rng = np.random.default_rng(7)
    for label in ("a", "b"):
        (folder / label).mkdir(parents=True)
    for number in range(count):
        picture = pictures[number % DRAWN]
        size = (50, 50) if kind == "patches" else (picture.shape[0] - 10, picture.shape[1] - 10)
        top, left = (
            int(rng.integers(0, have - need)) for have, need in zip(picture.shape[:2], size, strict=True)
        )
        piece = Image.fromarray(picture[top : top + size[0], left : left + size[1]])
        piece.save(folder / "ab"[number % 2] / f"p{number % 100:03d}_{number}{suffix}")


def measure_pack(folder: Path, kind: Kind, work: Path) -> tuple[int, float]:
    """Pack all files as a study does, fingerprint included."""
    from mammoscan.data.checksums import fingerprint_checksums, hash_tree
    from mammoscan.data.image_folder import index_folders, list_files
    from mammoscan.data.packing import pack_images
    from mammoscan.params import PackParams

    started = time.perf_counter()
    images, _ = index_folders(folder, r"^(p\d+)_")
    record = {
        "folder": str(folder),
        "fingerprint": fingerprint_checksums(hash_tree(folder, list_files(folder))),
    }
    params = PackParams(size=kind.size, channels=kind.channels, workers=os.cpu_count() or 2)
    pack = pack_images(record, images, params, work)
    return len(pack.samples), time.perf_counter() - started


def measure_reuse(folder: Path, kind: Kind, work: Path) -> tuple[int, float]:
    """Do the same where the pack is there: what a second run on the same files costs."""
    return measure_pack(folder, kind, work)


def measure_read(_: Path, __: Kind, work: Path) -> tuple[int, float]:
    """Read the pack once through in shuffled batches, as an epoch does."""
    [file] = work.glob("*/pixels.npy")
    pixels = np.load(file, mmap_mode="r")
    order = np.random.default_rng(0).permutation(len(pixels))
    started = time.perf_counter()
    for start in range(0, len(pixels), BATCH):
        (pixels[np.sort(order[start : start + BATCH])].astype(np.float32) / 255).sum()
    return len(pixels), time.perf_counter() - started


def measure_keras(folder: Path, kind: Kind, _: Path) -> tuple[int, float]:
    """Decode all files in one epoch of ``image_dataset_from_directory``, shuffled in batches."""
    import keras

    mode = "rgb" if kind.channels == 3 else "grayscale"
    data = keras.utils.image_dataset_from_directory(
        folder, image_size=(kind.size, kind.size), color_mode=mode, batch_size=BATCH, verbose=False
    )
    seen, started = 0, time.perf_counter()
    for images, _ in data:
        seen += len(images)
    return seen, time.perf_counter() - started


MEASURES = {"pack": measure_pack, "reuse": measure_reuse, "read": measure_read, "keras": measure_keras}


def measure_apart(what: str, kind: str, folder: Path, work: Path) -> dict[str, float]:
    """Measure in a process of its own, whose memory is thus its own too."""
    words = [sys.executable, __file__, "--measure", what, kind, str(folder), str(work)]
    done = subprocess.run(
        words, capture_output=True, text=True, check=True, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    )
    return json.loads(done.stdout.splitlines()[-1])


def compare(kind: str, count: int, folder: Path) -> list[dict[str, object]]:
    """Measure everything for one kind of images, the pack also at a tenth of the files."""
    rows: list[dict[str, object]] = []
    for size, steps in ((count // 10, ("pack",)), (count, ("pack", "reuse", "read", "keras"))):
        files, work = folder / f"{kind}-{size}", folder / f"{kind}-{size}-packs"
        write_files(files, kind, size)
        rows += [{"images": kind, "step": step, **measure_apart(step, kind, files, work)} for step in steps]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=int, default=10_000)
    parser.add_argument("--films", type=int, default=600)
    parser.add_argument("--folder", type=Path, help="where files are written; a temporary folder if left out")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        what, kind, folder, work = asked.measure
        seen, seconds = MEASURES[what](Path(folder), KINDS[kind], Path(work))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"count": seen, "seconds": seconds, "per_second": seen / seconds, "peak_mb": peak}))
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        rows = [
            *compare("patches", asked.patches, Path(folder)),
            *compare("films", asked.films, Path(folder)),
        ]
    print(pd.DataFrame(rows).round({"seconds": 1, "per_second": 0, "peak_mb": 0}).to_string(index=False))


if __name__ == "__main__":
    main()
