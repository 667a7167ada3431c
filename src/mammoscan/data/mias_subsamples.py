"""The article's subsamples as image files: every region cut out, turned and mirrored."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from mammoscan.atomic_write import one_line_disk_errors
from mammoscan.data.mias_regions import SCAN_SIDE
from mammoscan.imaging.crops import crop_radius
from mammoscan.imaging.views import AUTHOR_VIEWS, make_view
from mammoscan.progress import show_progress

THREADS = 8
_NAME = re.compile(r"mdb\d{3}_(0|90|180|270)_(rotated|mirr_lr|mirr_tp)\.png(\.part)?")


@dataclass(frozen=True)
class Subsamples:
    """What was written.

    Attributes:
        files: One row per file: ``file``, ``scan``, ``view``, ``group``, ``severity``.
        written: How many files were new or other than before.
        removed: How many files of a former run belong to none of these regions.
    """

    files: pd.DataFrame
    written: int
    removed: int


def write_subsamples(
    regions: pd.DataFrame, size: int, folder: Path, read_scan: Callable[[str], NDArray[np.uint8]]
) -> Subsamples:
    """Write twelve PNG files for each region, by threads.

    A file that holds the right bytes already is left as it is, so that a run that was ended goes on where it stopped.

    Args:
        regions: ``scan``, ``source``, ``x``, ``y`` (from the bottom), ``radius``, ``group``, ``severity``.
        size: Side of the images in pixels.
        folder: Where they are kept; nothing else should be.
        read_scan: Gives a scan by its file name.
    """

    def write_region(region: dict[Hashable, Any]) -> int:
        scan = read_scan(region["source"])
        image = crop_radius(scan, SCAN_SIDE - region["y"], region["x"], region["radius"], size)
        return sum(
            _write_image(make_view(image, view), folder / f"{region['scan']}_{name}.png")
            for name, view in AUTHOR_VIEWS
        )

    with one_line_disk_errors(folder), show_progress("write subsamples") as advance:
        folder.mkdir(parents=True, exist_ok=True)
        written = 0
        with ThreadPoolExecutor(THREADS) as pool:
            for done, count in enumerate(pool.map(write_region, regions.to_dict("records")), 1):
                written += count
                advance(done, len(regions), "")
        views = [name for name, _ in AUTHOR_VIEWS]
        files = regions.loc[regions.index.repeat(len(views)), ["scan", "group", "severity"]]
        files.insert(1, "view", views * len(regions))
        files.insert(0, "file", files["scan"] + "_" + files["view"] + ".png")
        known = set(files["file"])
        left = [path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path.name not in known]
        for path in left:
            path.unlink()
    return Subsamples(files.reset_index(drop=True), written, len(left))


def _write_image(pixels: NDArray[np.uint8], path: Path) -> bool:
    """Write an image unless it is there; tell whether it was written."""
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(content, "PNG")
    if path.is_file() and path.read_bytes() == content.getvalue():
        return False
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content.getvalue())
    part.replace(path)
    return True
