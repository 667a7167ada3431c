"""One scan of mini-MIAS in a notebook: its notes, its picture with the marked circles, its region in all views.

from mammoscan.mammogram import MammoScan

scan = MammoScan.open(catalog.load("mias.raw"), catalog.load("mias.notes"), "mdb001")
scan.plot()
scan.plot_transformations()
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mammoscan.data import mias
from mammoscan.data.mias_notes import MALFORMED_TYPES
from mammoscan.data.mias_regions import SCAN_SIDE, choose_all_as_author
from mammoscan.errors import MammoscanError
from mammoscan.figures import draw_scan, draw_views
from mammoscan.figures.style import STAMPS
from mammoscan.imaging.crops import crop_radius
from mammoscan.imaging.views import AUTHOR_VIEWS, make_view
from mammoscan.records.dataset import DatasetRecord


@dataclass(frozen=True, eq=False)
class MammoScan:
    """A mammogram with what its notes say of it.

    Attributes:
        name: ``mdb001`` to ``mdb322``.
        pixels: uint8 ``[1024, 1024]``, as published; nothing here changes a file.
        notes: Its rows of the notes: ``group``, ``severity``, ``tissue``, ``x``, ``y`` (from the bottom), ``radius``.
        stamp: What every picture says where the data are not the published ones; empty where they are.
    """

    name: str
    pixels: NDArray[np.uint8]
    notes: pd.DataFrame
    stamp: str = ""

    @classmethod
    def open(cls, record: DatasetRecord, notes: pd.DataFrame, name: str) -> MammoScan:
        """Read a scan.

        Args:
            record: The data set, ``mias.raw`` in the catalog.
            notes: Its clean notes, ``mias.notes``.
            name: The scan's, e.g. ``mdb001``.
        """
        rows = notes[notes["scan"] == name].reset_index(drop=True)
        if rows.empty:
            names = sorted(set(notes["scan"]))
            known = f"{names[0]} to {names[-1]}" if names else "none"
            raise MammoscanError(f"scan {name!r} is not in the notes, expected one of {known}")
        pixels = np.asarray(mias.read_scan(record, str(rows["source"].iloc[0])))
        return cls(name, pixels, rows, STAMPS.get(record.kind, ""))

    def cut(self, size: int = 48) -> NDArray[np.uint8]:
        """Return the square of the first marked region as the article cut it, uint8 ``[size, size]``.

        A normal scan, and one without a place, is cut near its centre.
        """
        regions = choose_all_as_author(self.notes, pd.DataFrame(columns=list(MALFORMED_TYPES)))
        if regions.empty:
            raise MammoscanError(f"scan {self.name}: the article leaves it out; its place cannot be read")
        region = regions.iloc[0]
        return crop_radius(self.pixels, SCAN_SIDE - region["y"], region["x"], region["radius"], size)

    def transformations(self, size: int = 48) -> dict[str, NDArray[np.uint8]]:
        """Return the article's twelve images of the region by their names, ``0_rotated`` to ``270_mirr_tp``."""
        image = self.cut(size)
        return {name: make_view(image, view) for name, view in AUTHOR_VIEWS}

    def plot(self) -> Figure:
        """Draw the scan with a circle around each marked region."""
        regions = self.notes.assign(row=SCAN_SIDE - self.notes["y"], column=self.notes["x"])
        return draw_scan(self.pixels, regions, self.stamp, name=self.name)

    def plot_transformations(self, size: int = 48) -> Figure:
        """Draw the twelve images; of these four repeat others, which are framed."""
        return draw_views(self.cut(size), self.stamp, AUTHOR_VIEWS)
