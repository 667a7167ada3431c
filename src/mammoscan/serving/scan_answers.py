"""The service's answer about a whole scan, of which the model takes windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mammoscan.errors import MammoscanError
from mammoscan.serving.answers import ImageAnswer, ScanPlace
from mammoscan.serving.drawing import colour_heat, encode_picture
from mammoscan.serving.fitting import flatten_grey
from mammoscan.serving.reading import Picture

if TYPE_CHECKING:
    from mammoscan.learning.scanning import ScanMap
    from mammoscan.serving.classifier import Classifier

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
    from mammoscan.serving.scan_maps import NEVER_NORMAL, map_picture

    notes = list(picture.warnings)
    grey = flatten_grey(picture, notes)
    found, regions, _ = map_picture(classifier, grey, name=picture.name)
    if regions.empty:
        raise MammoscanError(
            f"{picture.name} is a whole scan in which no breast was found, expected a mammogram"
        )
    card = classifier.card
    labels, positive = card["labels"], card["positive"]
    values = found.probabilities[..., labels.index(positive)]
    top = found.probabilities[np.unravel_index(np.nanargmax(values), values.shape)].astype(float)
    two = len(labels) == 2
    other = next(label for label in labels if label != positive)
    said = positive if top[labels.index(positive)] >= card["threshold"] else other
    return ImageAnswer(
        name=picture.name,
        label=said if two else labels[int(top.argmax())],
        probabilities={label: round(float(value), 6) for label, value in zip(labels, top, strict=True)},
        positive=positive if two else None,
        threshold=float(card["threshold"]) if two else None,
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
