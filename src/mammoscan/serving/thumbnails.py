"""Small pictures for a page; of a whole scan its map."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mammoscan.errors import MammoscanError
from mammoscan.figures.style import render_png
from mammoscan.serving.batches import open_picture
from mammoscan.serving.classifier import Classifier
from mammoscan.serving.fitting import flatten_grey
from mammoscan.serving.scan_maps import map_picture

SIDE = 192
# A map takes seconds and half a megabyte.
MOST_MAPS = 20


def draw_thumbnails(
    folder: Path, files: list[str], scans: set[str], model: str, advance: Callable[[int, int, str], None]
) -> dict[str, bytes]:
    """Draw a small picture of each file.

    Args:
        folder: Where they are.
        files: Their names, relative to it; those that cannot be read are left out.
        scans: Those that are whole scans: the first of them are shown with their maps.
        model: Folder of the model that maps them.
        advance: Is told how many are done.

    Returns:
        PNG bytes by name.
    """
    classifier = Classifier.load(Path(model)) if scans else None
    drawn: dict[str, bytes] = {}
    maps = 0
    for done, name in enumerate(files, 1):
        try:
            picture = open_picture(name, (folder / name).read_bytes)
        except MammoscanError:
            continue
        if classifier is not None and name in scans and maps < MOST_MAPS:
            maps += 1
            _, _, figure = map_picture(classifier, flatten_grey(picture, []), name=name)
            drawn[name] = render_png(figure, dpi=80)
        else:
            drawn[name] = _shrink(picture.array)
        advance(done, len(files), name)
    return drawn


def _shrink(array: NDArray) -> bytes:
    if array.dtype != np.uint8:
        array = (array.astype(np.float32) * (255 / max(int(array.max()), 1))).astype(np.uint8)
    image = Image.fromarray(array)
    image.thumbnail((SIDE, SIDE))
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()
