"""Time the subsampling of mini-MIAS: the article's script against this project's, with the same pixels out.

Run ``python benchmarks/subsample.py --source FOLDER`` on the unpacked data set, or without ``--source`` on
a phantom that is made for the occasion. Both ways are timed in turn, in this process, with the files in the
page cache after a first pass that is not counted.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from mammoscan.data.mias_notes import clean_notes
from mammoscan.data.pgm import read_pgm
from mammoscan.imaging.crops import crop_radius
from mammoscan.imaging.views import AUTHOR_VIEWS, make_views

SIZE = 48
SCAN_SIZE = 1024


class Region(NamedTuple):
    """A square of one scan: its centre from the top left, and half its side."""

    name: str
    row: int
    column: int
    radius: int


def choose_regions(folder: Path, seed: int) -> list[Region]:
    """List the article's regions: one a scan, normal ones near the centre, those with NOTE 3 left out."""
    text = (folder / "Info.txt").read_text(encoding="latin-1")
    notes, _ = clean_notes(text, sorted(path.name for path in folder.glob("mdb*.pgm")))
    rng = np.random.default_rng(seed)
    regions = []
    for note in notes[notes["first_of_scan"] & ~notes["note3"]].itertuples():
        x, y, radius = note.x, note.y, note.radius
        if note.group == "NORM":
            x, y = rng.integers(500, 512, size=2, endpoint=True)
            radius = 48
        elif note.place:
            x, y, radius = SCAN_SIZE // 2, SCAN_SIZE // 2, 48
        regions.append(Region(note.scan, SCAN_SIZE - int(y), int(x), int(radius)))
    return regions


def subsample_as_article(source: Path, regions: list[Region], folder: Path) -> NDArray[np.uint8]:
    """Do what the article's script does: twelve PNG files a region, then all of them read back."""
    for name, row, column, radius in regions:
        scan = Image.open(source / f"{name}.pgm")
        crop = scan.crop((column - radius, row - radius, column + radius, row + radius)).resize((SIZE, SIZE))
        for angle in (0, 90, 180, 270):
            rotated = crop.rotate(angle)
            rotated.save(folder / f"{name}_{angle}_rotated.png")
            ImageOps.mirror(rotated).save(folder / f"{name}_{angle}_mirr_lr.png")
            ImageOps.flip(rotated).save(folder / f"{name}_{angle}_mirr_tp.png")
    images = []
    for name, *_ in regions:
        for view, _ in AUTHOR_VIEWS:
            with Image.open(folder / f"{name}_{view}.png") as image:
                images.append(np.array(image))
    return np.array(images)


def subsample_as_mammoscan(source: Path, regions: list[Region]) -> NDArray[np.uint8]:
    """Crop each region out of the few rows that hold it, and make all views at once."""
    crops = np.empty((len(regions), SIZE, SIZE), np.uint8)
    for crop, (name, row, column, radius) in zip(crops, regions, strict=True):
        crop[:] = crop_radius(read_pgm(source / f"{name}.pgm"), row, column, radius, SIZE)
    views = make_views(crops).take([k for _, k in AUTHOR_VIEWS], axis=1)
    return views.reshape(-1, SIZE, SIZE)


def compare_both(source: Path, repeats: int) -> None:
    """Time both ways in turn, check that they agree and print what came out."""
    regions = choose_regions(source, seed=0)
    seconds: dict[str, list[float]] = {"article": [], "mammoscan": []}
    for repeat in range(repeats + 1):
        with tempfile.TemporaryDirectory() as folder:
            ways: dict[str, Callable[[], NDArray[np.uint8]]] = {
                "article": lambda folder=folder: subsample_as_article(source, regions, Path(folder)),
                "mammoscan": lambda: subsample_as_mammoscan(source, regions),
            }
            pixels = {}
            for way, subsample in ways.items():
                start = time.perf_counter()
                pixels[way] = subsample()
                if repeat:
                    seconds[way].append(time.perf_counter() - start)
        np.testing.assert_array_equal(pixels["article"], pixels["mammoscan"])
    images = pixels["mammoscan"]
    distinct = len({image.tobytes() for image in images})
    print(f"{len(regions)} regions, {len(images)} images, {distinct} distinct; the same pixels both ways")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {repeats} repeats")
    for way, times in seconds.items():
        print(f"{way:10} median {statistics.median(times):7.3f} s  ({min(times):.3f} to {max(times):.3f})")
    ratio = statistics.median(seconds["article"]) / statistics.median(seconds["mammoscan"])
    print(f"{ratio:.0f} times as fast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, help="folder with mdb*.pgm and Info.txt; default: a phantom")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.source:
        compare_both(arguments.source, arguments.repeats)
        return
    from mammoscan.params import PhantomParams
    from mammoscan.phantoms.mias import write_phantom

    with tempfile.TemporaryDirectory() as folder:
        print("writing a phantom of full size ...")
        write_phantom(Path(folder), PhantomParams())
        compare_both(Path(folder), arguments.repeats)


if __name__ == "__main__":
    main()
