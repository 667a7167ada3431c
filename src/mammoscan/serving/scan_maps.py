"""A whole scan as a trained model sees it: the probability at every place, and the places to look at."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.evaluation.temperature import apply_temperature
from mammoscan.figures.scan_map import draw_scan_map
from mammoscan.figures.style import PHANTOM_STAMP
from mammoscan.imaging.peaks import pick_peaks
from mammoscan.imaging.scans import prepare_scan
from mammoscan.learning.scanning import ScanMap, map_scan
from mammoscan.serving.classifier import Classifier
from mammoscan.studies import Recipe, ScanGridParams, ViewParams

REGION_COLUMNS = ("rank", "probability", "x", "y", "row", "column", "side")
NEVER_NORMAL = "It never saw normal tissue in training: where nothing is, its answer means nothing."


def map_picture(
    classifier: Classifier,
    scan: NDArray[np.uint8],
    *,
    name: str = "",
    stride: int = 8,
    limit: int = 5,
) -> tuple[ScanMap, pd.DataFrame, Figure]:
    """Map a whole scan.

    Args:
        classifier: A model that takes windows of the standardised grid.
        scan: uint8 ``[H, W]``; one that is not square is taken as the upper left part of a black square.
        name: What the figure calls it.
        stride: Grid pixels from one place to the next.
        limit: At most so many regions.

    Returns:
        The map with calibrated probabilities, on the grid;
        the regions, the highest probability of the positive label first, no two of them overlapping by more than
        half: ``rank``, ``probability``, ``x`` and ``y`` of the centre in pixels of the scan, origin bottom-left as in
        mini-MIAS' notes, ``row`` and ``column`` of it, origin top-left, and ``side`` of the window in these pixels;
        the figure.

    Raises:
        MammoscanError: If the model takes no windows of a grid, or the array is no grey scan.
    """
    how = classifier.card["input"]
    if how["kind"] != "window":
        raise MammoscanError(
            f"map: the model takes images of kind {how['kind']}, expected window: a crop scaled by a region's radius, "
            "or a whole image, has no place in a grid; choose a model of mias or mias_normal"
        )
    if scan.ndim != 2 or scan.dtype != np.uint8:
        raise MammoscanError(
            f"map: found {scan.dtype} of shape {list(scan.shape)}, expected a grey scan, uint8 [H, W]"
        )
    params = ScanGridParams(**how.get("grid", {}))
    side = max(scan.shape)
    grid, mask = prepare_scan(np.pad(scan, [(0, side - length) for length in scan.shape]), params)
    found = map_scan(
        classifier.network,
        grid,
        mask,
        stride,
        recipe=Recipe(**classifier.card["training"]),
        views=ViewParams(**classifier.card["views"]),
    )
    asked = np.isfinite(found.probabilities[..., 0])
    calibrated = found.probabilities.copy()
    calibrated[asked] = apply_temperature(calibrated[asked], float(classifier.card.get("temperature", 1)))
    found = found._replace(probabilities=calibrated)
    regions = list_regions(classifier, found, scan.shape[0], side / params.size, limit)
    return found, regions, _draw(classifier, scan, found, regions, side / params.size, name)


def list_regions(
    classifier: Classifier, found: ScanMap, height: int, scale: float, limit: int
) -> pd.DataFrame:
    """List the places that stand out; see ``map_picture``.

    Args:
        classifier: Whose map it is.
        found: The map.
        height: Rows of the scan.
        scale: Scan pixels per grid pixel.
        limit: At most so many.
    """
    window = classifier.shape[0]
    positive = classifier.card["labels"].index(classifier.card["positive"])
    values = found.probabilities[..., positive]
    rows = []
    for rank, (i, j) in enumerate(pick_peaks(values, found.rows, found.columns, window / 2, limit), 1):
        row, column = float(found.rows[i] * scale), float(found.columns[j] * scale)
        place = {"x": column, "y": height - row, "row": row, "column": column, "side": window * scale}
        rows.append({"rank": rank, "probability": float(values[i, j]), **place})
    return pd.DataFrame(rows, columns=list(REGION_COLUMNS))


def _draw(
    classifier: Classifier,
    scan: NDArray[np.uint8],
    found: ScanMap,
    regions: pd.DataFrame,
    scale: float,
    name: str,
) -> Figure:
    card = classifier.card
    return draw_scan_map(
        scan,
        found.probabilities[..., card["labels"].index(card["positive"])],
        found.rows * scale,
        found.columns * scale,
        regions,
        # What a model learnt on phantoms says nothing about a patient, whosever scan this is.
        PHANTOM_STAMP if card["data"] == "phantom" else "",
        positive=card["positive"],
        name=name,
        note="" if "normal" in card["labels"] else NEVER_NORMAL,
    )
