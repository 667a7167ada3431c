"""A whole scan as a model of windows sees it: the probability at every place, and the places to look at."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from mammoscan.errors import MammoscanError
from mammoscan.evaluation.calibration import apply_temperature
from mammoscan.figures.scans import draw_scan_map
from mammoscan.figures.style import PHANTOM_STAMP
from mammoscan.inference.scan_inference import ScanMap, find_peaks, map_scan
from mammoscan.serving.classifier import Classifier
from mammoscan.serving.pictures import colour_heat, encode_picture
from mammoscan.serving.prepare_input import PreparedImage, PreparedScan, prepare_whole_scan
from mammoscan.serving.schemas import ImageAnswer, ScanPlace

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
        limit: Maximum number of regions.

    Returns:
        The map with calibrated probabilities, on the grid;
        the regions, the highest probability of the positive label first, no two of them overlapping by more than
        half: ``rank``, ``probability``, ``x`` and ``y`` of the centre in pixels of the scan, origin bottom-left as in
        mini-MIAS' notes, ``row`` and ``column`` of it, origin top-left, and ``side`` of the window in these pixels;
        the figure.

    Raises:
        MammoscanError: If the model takes no windows of a grid, or the array is no grey scan.
    """
    prepared = prepare_whole_scan(scan, classifier.card.input)
    found, regions = map_prepared(classifier, prepared, stride=stride, limit=limit)
    return found, regions, draw_map(classifier, prepared, found, regions, name, scan)


def map_prepared(
    classifier: Classifier, scan: PreparedScan, *, stride: int = 8, limit: int = 5
) -> tuple[ScanMap, pd.DataFrame]:
    """Return the map and the regions of a scan on its grid; see ``map_picture``."""
    card = classifier.card
    found = map_scan(
        classifier.network,
        scan.grid,
        scan.mask,
        stride,
        recipe=card.training,
        views=card.views,
        others=scan.others,
    )
    inside = np.isfinite(found.probabilities[..., 0])
    calibrated = found.probabilities.copy()
    calibrated[inside] = apply_temperature(calibrated[inside], card.temperature)
    found = found._replace(probabilities=calibrated)
    return found, list_regions(classifier, found, scan.height, _scale(scan), limit)


def _scale(scan: PreparedScan) -> float:
    """Return how many pixels of the scan are one of the grid."""
    return max(scan.height, scan.width) / len(scan.grid)


def list_regions(
    classifier: Classifier, found: ScanMap, height: int, scale: float, limit: int
) -> pd.DataFrame:
    """List the places that stand out; see ``map_picture``.

    Args:
        classifier: Whose map it is.
        found: The map.
        height: Rows of the scan.
        scale: Scan pixels per grid pixel.
        limit: Maximum number.
    """
    window = classifier.shape[0]
    positive = classifier.card.labels.index(classifier.card.positive)
    rows = []
    for rank, peak in enumerate(find_peaks(found, positive, window / 2, limit), 1):
        row, column = float(peak.row * scale), float(peak.column * scale)
        place = {"x": column, "y": height - row, "row": row, "column": column, "side": window * scale}
        rows.append({"rank": rank, "probability": peak.probability, **place})
    return pd.DataFrame(rows, columns=list(REGION_COLUMNS))


def draw_map(
    classifier: Classifier,
    scan: PreparedScan,
    found: ScanMap,
    regions: pd.DataFrame,
    name: str,
    pixels: NDArray[np.uint8],
) -> Figure:
    """Draw a map over a scan, or over a smaller picture of it."""
    card = classifier.card
    share = max(pixels.shape) / max(scan.height, scan.width)
    lengths = ["row", "column", "side"]
    return draw_scan_map(
        pixels,
        found.probabilities[..., card.labels.index(card.positive)],
        found.rows * _scale(scan) * share,
        found.columns * _scale(scan) * share,
        regions.assign(**{key: regions[key] * share for key in lengths}),
        # What a model learnt on phantoms says nothing about a patient, whosever scan this is.
        PHANTOM_STAMP if card.data == "phantom" else "",
        positive=card.positive,
        name=name,
        note="" if "normal" in card.labels else NEVER_NORMAL,
    )


MANY_PLACES = (
    "A whole scan: the answer is that of its likeliest place. Among so many places one is easily high."
)
# A picture on a page needs no more pixels.
SHOWN_SIDE = 640


def answer_scan(classifier: Classifier, image: PreparedImage, explain: bool) -> ImageAnswer:
    """Classify every place of a whole scan.

    Args:
        classifier: A model that takes windows.
        image: The scan, with a preview where ``explain`` is set.
        explain: Whether to add the scan and its map as pictures.

    Returns:
        The answer of the likeliest place, with the list of places to look at.
    """
    scan = image.scan
    assert scan is not None
    found, regions = map_prepared(classifier, scan)
    if regions.empty:
        raise MammoscanError(
            f"{image.name} is a whole scan in which no breast was found, expected a mammogram"
        )
    card = classifier.card
    labels, positive = card.labels, card.positive
    values = found.probabilities[..., labels.index(positive)]
    top = found.probabilities[np.unravel_index(np.nanargmax(values), values.shape)].astype(float)
    two = card.is_binary
    answer = positive if top[labels.index(positive)] >= card.threshold else card.other
    return ImageAnswer(
        name=image.name,
        label=answer if two else labels[int(top.argmax())],
        probabilities={label: round(float(value), 6) for label, value in zip(labels, top, strict=True)},
        positive=positive if two else None,
        threshold=card.threshold if two else None,
        warnings=[MANY_PLACES, *([] if "normal" in labels else [NEVER_NORMAL]), *image.warnings],
        notes=image.notes,
        places=[
            ScanPlace(**{str(key): round(value, 4) for key, value in row.items()})
            for row in regions.to_dict("records")
        ],
        size=[scan.width, scan.height],
        seen=encode_picture(scan.preview) if scan.preview is not None else None,
        heat_map=encode_picture(_colour_map(values, found, (scan.height, scan.width))) if explain else None,
    )


def _colour_map(values: NDArray[np.float32], found: ScanMap, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the map as an overlay with the sides' ratio of the scan; a place colours the square around it."""
    stride = int(found.rows[1] - found.rows[0])
    grid = int(found.rows[-1])
    half = stride // 2
    fine = values.repeat(stride, axis=0).repeat(stride, axis=1)[half : half + grid, half : half + grid]
    height, width = (round(grid * side / max(shape)) for side in shape)
    overlay = Image.fromarray(colour_heat(fine[:height, :width]))
    scale = SHOWN_SIDE / grid
    return np.asarray(overlay.resize((round(width * scale), round(height * scale)), Image.Resampling.NEAREST))
