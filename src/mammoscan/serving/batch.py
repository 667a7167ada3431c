"""Predicting every file of a folder in bounded memory.

Many image files at once: each one is a row, the bad ones with their reason.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from mammoscan.data.image_folder import list_files
from mammoscan.errors import MammoscanError
from mammoscan.figures.style import render_png
from mammoscan.serving.classifier import Classifier
from mammoscan.serving.image_reader import Limits, Picture, read_picture
from mammoscan.serving.prepare_input import flatten_grey
from mammoscan.serving.scan_prediction import NEVER_NORMAL, REGION_COLUMNS, map_picture

Content = bytes | MammoscanError | Callable[[], bytes]
# Whole pictures are large, what is left of them is not: so many of them are in memory at a time.
READERS = 4


def classify_files(
    classifier: Classifier, files: Sequence[tuple[str, Content]], limits: Limits | None = None
) -> pd.DataFrame:
    """Classify the contents of image files.

    Args:
        classifier: The model.
        files: Name and content of each, or what reads it; an error in place of the content becomes its reason.
        limits: Most bytes and pixels of each.

    Returns:
        What ``Classifier.classify`` returns, a row a file in the same order, with ``error``: None, or one line; the
        row then has no label and no probabilities.
    """

    def prepare(file: tuple[str, Content]) -> tuple[NDArray[np.uint8], list[str]] | str:
        try:
            return classifier.prepare(open_picture(*file, limits))
        except MammoscanError as error:
            return str(error)

    with ThreadPoolExecutor(READERS) as pool:
        found = list(pool.map(prepare, files))
    good = {row: each for row, each in enumerate(found) if not isinstance(each, str)}
    pixels = (
        np.stack([each[0] for each in good.values()]) if good else np.empty((0, *classifier.shape), np.uint8)
    )
    answered = classifier.classify(pixels)
    answered["warnings"] = [
        said + more for (_, said), more in zip(good.values(), answered["warnings"], strict=True)
    ]
    # Objects, so that what is missing is null in JSON and not NaN, which is none.
    table = answered.astype(object).set_axis(list(good)).reindex(range(len(files)))
    table = table.where(table.notna(), None)
    table["warnings"] = [said if isinstance(said, list) else [] for said in table["warnings"]]
    if "threshold" in table.columns:
        table["threshold"] = classifier.card.threshold
    errors = [each if isinstance(each, str) else None for each in found]
    return table.assign(error=pd.Series(errors, dtype=object, index=table.index))


def open_picture(name: str, content: Content, limits: Limits | None = None) -> Picture:
    """Read a picture from its bytes, or from what gives them.

    Args:
        name: What errors call it.
        content: The bytes, what reads them, or the error that is raised.
        limits: Most bytes and pixels.
    """
    if isinstance(content, MammoscanError):
        raise content
    try:
        return read_picture(content if isinstance(content, bytes) else content(), name, limits)
    except OSError as error:
        raise MammoscanError(f"{name} cannot be read: {error.strerror or error}") from error


CHUNK = 64


def list_pictures(images: str | None) -> tuple[Path, list[str]]:
    """Return the folder, and the files in it relative to it; hidden files are left out.

    Args:
        images: A folder, searched with all folders in it, or a single file.
    """
    if not images:
        raise MammoscanError(
            "predict.images: found nothing, expected a folder or a file; pass --params predict.images=<folder>"
        )
    place = Path(images).expanduser()
    if place.is_file():
        return place.parent, [place.name]
    if not place.is_dir():
        raise MammoscanError(
            f"predict.images is {images}, where there is nothing, expected a folder or a file"
        )
    files = list_files(place)
    if not files:
        raise MammoscanError(f"predict.images is {images}, which holds no file, expected images")
    return place, files


def predict_files(
    classifier: Classifier,
    folder: Path,
    files: list[str],
    advance: Callable[[int, int, str], None],
    limits: Limits | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predict files, some at a time.

    A whole scan of a model that takes windows is mapped: its answer is that of the place where the positive label is
    likeliest.

    Args:
        classifier: The model.
        folder: Where they are.
        files: Their names, relative to it.
        advance: Is told how many are done.
        limits: Most bytes and pixels of each.

    Returns:
        The answers, a row a file: ``file``, then what ``classify_files`` returns; and the regions of whole scans,
        ``file`` and then what ``map_picture`` returns.
    """
    rows: list[dict[Any, Any]] = []
    regions: list[pd.DataFrame] = []
    for first in range(0, len(files), CHUNK):
        names = files[first : first + CHUNK]
        table = classify_files(classifier, [(name, (folder / name).read_bytes) for name in names], limits)
        answers: list[dict[Any, Any]] = [
            {"file": name, **row} for name, row in zip(names, table.to_dict("records"), strict=True)
        ]
        if classifier.card.input.kind == "window":
            regions += [
                found
                for answer in answers
                if answer["error"] and (found := _map_scan(classifier, folder, answer, limits)) is not None
            ]
        rows += answers
        advance(min(first + CHUNK, len(files)), len(files), names[-1])
    columns = ["file", *REGION_COLUMNS]
    return pd.DataFrame(rows), pd.concat(regions, ignore_index=True) if regions else pd.DataFrame(
        columns=columns
    )


def _map_scan(
    classifier: Classifier, folder: Path, answer: dict[str, Any], limits: Limits | None
) -> pd.DataFrame | None:
    """Answer for a file in place, and return its regions, if it is a whole scan."""
    card, name = classifier.card, answer["file"]
    try:
        picture = open_picture(name, (folder / name).read_bytes, limits)
        if not classifier.is_whole_scan(picture):
            return None
        said = list(picture.notes)
        _, regions, _ = map_picture(classifier, flatten_grey(picture, said), name=name)
        if regions.empty:
            raise MammoscanError(f"{name} is a whole scan in which no breast was found, expected a mammogram")
    except MammoscanError as error:
        answer["error"] = str(error)
        return None
    top = regions.iloc[0]
    share, positive = float(top["probability"]), card.positive
    if card.is_binary:
        answer["label"] = positive if share >= card.threshold else card.other
        answer[f"p_{card.other}"] = 1 - share
    answer[f"p_{positive}"] = share
    said.append(
        f"a whole scan: the answer is that of its likeliest place, x {top['x']:.0f}, y {top['y']:.0f} from the lower "
        "left; among so many places one is easily high"
    )
    if "normal" not in card.labels:
        said.append(NEVER_NORMAL)
    answer |= {"warnings": said, "error": None}
    return regions.assign(file=name)[["file", *REGION_COLUMNS]]


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
