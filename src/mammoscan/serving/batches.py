"""Many image files at once: each one is a row, the bad ones with their reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.serving.classifier import Classifier
from mammoscan.serving.reading import Limits, Picture, read_picture

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
        table["threshold"] = float(classifier.card["threshold"])
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
