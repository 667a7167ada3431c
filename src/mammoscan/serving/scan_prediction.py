"""The service's answer about a whole scan, of which the model takes windows.

A whole scan as a trained model sees it: the probability at every place, and the places to look at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from mammoscan.errors import MammoscanError
from mammoscan.evaluation.calibration import apply_temperature
from mammoscan.figures.scans import draw_scan_map
from mammoscan.figures.style import PHANTOM_STAMP
from mammoscan.imaging.peaks import pick_peaks
from mammoscan.imaging.scan_grid import prepare_scan
from mammoscan.inference.scan_inference import ScanMap, map_scan
from mammoscan.serving.classifier import Classifier
from mammoscan.serving.image_reader import Picture
from mammoscan.serving.pictures import colour_heat, encode_picture
from mammoscan.serving.prepare_input import flatten_grey
from mammoscan.serving.schemas import ImageAnswer, ScanPlace

if TYPE_CHECKING:
    from mammoscan.inference.scan_inference import ScanMap
    from mammoscan.serving.classifier import Classifier


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
    how = classifier.card.input
    if how.kind != "window":
        raise MammoscanError(
            f"map: the model takes images of kind {how.kind}, expected window: a crop scaled by a region's radius, "
            "or a whole image, has no place in a grid; choose a model of mias or mias_normal"
        )
    if scan.ndim != 2 or scan.dtype != np.uint8:
        raise MammoscanError(
            f"map: found {scan.dtype} of shape {list(scan.shape)}, expected a grey scan, uint8 [H, W]"
        )
    params = how.grid
    side = max(scan.shape)
    grid, mask = prepare_scan(np.pad(scan, [(0, side - length) for length in scan.shape]), params)
    found = map_scan(
        classifier.network,
        grid,
        mask,
        stride,
        recipe=classifier.card.training,
        views=classifier.card.views,
    )
    asked = np.isfinite(found.probabilities[..., 0])
    calibrated = found.probabilities.copy()
    calibrated[asked] = apply_temperature(calibrated[asked], classifier.card.temperature)
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
    positive = classifier.card.labels.index(classifier.card.positive)
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
        found.probabilities[..., card.labels.index(card.positive)],
        found.rows * scale,
        found.columns * scale,
        regions,
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
_SHOWN_SIDE = 640


def answer_scan(classifier: Classifier, picture: Picture, explain: bool) -> ImageAnswer:
    """Ask the model about every place of a scan.

    Args:
        classifier: A model that takes windows.
        picture: The scan.
        explain: Whether to add the scan and its map as pictures.

    Returns:
        The answer of the likeliest place, with the list of places to look at.
    """
    notes = list(picture.notes)
    grey = flatten_grey(picture, notes)
    found, regions, _ = map_picture(classifier, grey, name=picture.name)
    if regions.empty:
        raise MammoscanError(
            f"{picture.name} is a whole scan in which no breast was found, expected a mammogram"
        )
    card = classifier.card
    labels, positive = card.labels, card.positive
    values = found.probabilities[..., labels.index(positive)]
    top = found.probabilities[np.unravel_index(np.nanargmax(values), values.shape)].astype(float)
    two = card.is_binary
    said = positive if top[labels.index(positive)] >= card.threshold else card.other
    return ImageAnswer(
        name=picture.name,
        label=said if two else labels[int(top.argmax())],
        probabilities={label: round(float(value), 6) for label, value in zip(labels, top, strict=True)},
        positive=positive if two else None,
        threshold=card.threshold if two else None,
        warnings=[MANY_PLACES] + ([] if "normal" in labels else [NEVER_NORMAL]),
        notes=notes,
        places=[
            ScanPlace(**{str(key): round(value, 4) for key, value in row.items()})
            for row in regions.to_dict("records")
        ],
        size=[grey.shape[1], grey.shape[0]],
        seen=encode_picture(_shrink(grey)) if explain else None,
        heat_map=encode_picture(_draw_map(values, found, grey.shape)) if explain else None,
    )


def _shrink(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    image = Image.fromarray(grey)
    image.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE))
    return np.asarray(image)


def _draw_map(values: NDArray[np.float32], found: ScanMap, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the map as an overlay with the sides' ratio of the scan; a place colours the square around it."""
    stride = int(found.rows[1] - found.rows[0])
    grid = int(found.rows[-1])
    half = stride // 2
    fine = values.repeat(stride, axis=0).repeat(stride, axis=1)[half : half + grid, half : half + grid]
    height, width = (round(grid * side / max(shape)) for side in shape)
    overlay = Image.fromarray(colour_heat(fine[:height, :width]))
    scale = _SHOWN_SIDE / grid
    return np.asarray(overlay.resize((round(width * scale), round(height * scale)), Image.Resampling.NEAREST))
