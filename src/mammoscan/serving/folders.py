"""Predicting every file of a folder in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.serving.batches import classify_files, open_picture
from mammoscan.serving.classifier import Classifier
from mammoscan.serving.fitting import flatten_grey
from mammoscan.serving.reading import Limits
from mammoscan.serving.scan_maps import NEVER_NORMAL, REGION_COLUMNS, map_picture
from mammoscan.sources.listing import list_files

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
        if classifier.card["input"]["kind"] == "window":
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
        said = list(picture.warnings)
        _, regions, _ = map_picture(classifier, flatten_grey(picture, said), name=name)
        if regions.empty:
            raise MammoscanError(f"{name} is a whole scan in which no breast was found, expected a mammogram")
    except MammoscanError as error:
        answer["error"] = str(error)
        return None
    top = regions.iloc[0]
    share, positive = float(top["probability"]), card["positive"]
    if len(card["labels"]) == 2:
        other = next(label for label in card["labels"] if label != positive)
        answer["label"] = positive if share >= card["threshold"] else other
        answer[f"p_{other}"] = 1 - share
    answer[f"p_{positive}"] = share
    said.append(
        f"a whole scan: the answer is that of its likeliest place, x {top['x']:.0f}, y {top['y']:.0f} from the lower "
        "left; among so many places one is easily high"
    )
    if "normal" not in card["labels"]:
        said.append(NEVER_NORMAL)
    answer |= {"warnings": said, "error": None}
    return regions.assign(file=name)[["file", *REGION_COLUMNS]]
