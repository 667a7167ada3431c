"""Many image files at once: each one is a row, the bad ones with their reason."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.serving.classifier import Classifier
from mammoscan.serving.reading import Limits, read_picture

Content = bytes | MammoscanError


def classify_files(
    classifier: Classifier, files: Sequence[tuple[str, Content]], limits: Limits | None = None
) -> pd.DataFrame:
    """Classify the contents of image files.

    Args:
        classifier: The model.
        files: Name and content of each; an error in place of the content becomes its reason.
        limits: Most bytes and pixels of each.

    Returns:
        What ``Classifier.classify`` returns, a row a file in the same order, with ``error``: None, or one line; the
        row then has no label and no probabilities.
    """
    prepared, warnings, rows = [], [], []
    errors: list[str | None] = [None] * len(files)
    for row, (name, content) in enumerate(files):
        try:
            if isinstance(content, MammoscanError):
                raise content
            pixels, said = classifier.prepare(read_picture(content, name, limits))
        except MammoscanError as error:
            errors[row] = str(error)
            continue
        prepared.append(pixels)
        warnings.append(said)
        rows.append(row)
    answered = classifier.classify(
        np.stack(prepared) if prepared else np.empty((0, *classifier.shape), np.uint8)
    )
    answered["warnings"] = [said + more for said, more in zip(warnings, answered["warnings"], strict=True)]
    # Objects, so that what is missing is null in JSON and not NaN, which is none.
    table = answered.astype(object).set_axis(rows).reindex(range(len(files)))
    table = table.where(table.notna(), None)
    table["warnings"] = [said if isinstance(said, list) else [] for said in table["warnings"]]
    if "threshold" in table.columns:
        table["threshold"] = float(classifier.card["threshold"])
    return table.assign(error=pd.Series(errors, dtype=object, index=table.index))
