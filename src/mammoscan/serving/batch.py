"""Classify many image files in bounded memory: one row per file, the unusable ones with their reason."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mammoscan.data.image_folder import list_files
from mammoscan.errors import MammoscanError
from mammoscan.figures.style import render_png
from mammoscan.imaging.image_reader import Limits
from mammoscan.records.card import Card
from mammoscan.safe_text import defuse_formula, make_printable
from mammoscan.serving.classifier import OUT_OF_DISTRIBUTION_WARNING, Classifier
from mammoscan.serving.decode_pool import DecodePool
from mammoscan.serving.model_files import read_card
from mammoscan.serving.prepare_input import PreparedImage, reject_scan
from mammoscan.serving.scan_prediction import NEVER_NORMAL, REGION_COLUMNS, draw_map, map_prepared

NO_ANSWER = "no answer is given, as predict.abstain says"

Content = bytes | MammoscanError | Callable[[], bytes]
Prepared = PreparedImage | MammoscanError


def prepare_files(decoders: DecodePool, files: Sequence[tuple[str, Content]]) -> list[Prepared]:
    """Decode image files.

    Args:
        decoders: Where they are decoded.
        files: Name and content of each, or what reads it; an error in place of the content is returned.

    Returns:
        One item per file in the same order; an error where it cannot be used.
    """

    def prepare(file: tuple[str, Content]) -> Prepared:
        name, content = file
        try:
            if isinstance(content, MammoscanError):
                return content
            return decoders.prepare(content if isinstance(content, bytes) else content(), name)
        except MammoscanError as error:
            return error
        except OSError as error:
            return MammoscanError(f"{name} cannot be read: {error.strerror or error}")

    with ThreadPoolExecutor(decoders.workers) as pool:
        return list(pool.map(prepare, files))


def classify_prepared(classifier: Classifier, files: Sequence[Prepared]) -> pd.DataFrame:
    """Classify what ``prepare_files`` returned.

    Returns:
        What ``Classifier.classify`` returns, one row per file in the same order, with ``error``: None, or one line; the
        row then has no label and no probabilities. A whole scan is such a row, too.
    """
    good = {
        row: each for row, each in enumerate(files) if isinstance(each, PreparedImage) and each.scan is None
    }
    pixels = [each.pixels for each in good.values() if each.pixels is not None]
    answered = classifier.classify(np.stack(pixels) if pixels else np.empty((0, *classifier.shape), np.uint8))
    answered["warnings"] = [
        each.notes + each.warnings + warnings
        for each, warnings in zip(good.values(), answered["warnings"], strict=True)
    ]
    # Objects, so that what is missing is null in JSON and not NaN, which is none.
    table = answered.astype(object).set_axis(list(good)).reindex(range(len(files)))
    table = table.where(table.notna(), None)
    table["warnings"] = [each if isinstance(each, list) else [] for each in table["warnings"]]
    if "threshold" in table.columns:
        table["threshold"] = classifier.card.threshold
    errors = [_explain_error(classifier, each) for each in files]
    return table.assign(error=pd.Series(errors, dtype=object, index=table.index))


def find_out_of_distribution(answers: pd.DataFrame) -> pd.Series:
    """Return for each answer whether its image is unlike those that the model was trained on."""
    return answers["warnings"].map(
        lambda warnings: any(warning.startswith(OUT_OF_DISTRIBUTION_WARNING) for warning in warnings)
    )


def withhold_answers(answers: pd.DataFrame, card: Card) -> pd.DataFrame:
    """Return answers without label and probabilities where an image is unlike those of the training."""
    withheld = find_out_of_distribution(answers)
    columns = ["label", *card.answer_columns]
    answers = answers.copy()
    answers.loc[withheld, columns] = None
    answers["warnings"] = [
        [*warnings, NO_ANSWER] if without else warnings
        for warnings, without in zip(answers["warnings"], withheld, strict=True)
    ]
    return answers


def _explain_error(classifier: Classifier, each: Prepared) -> str | None:
    if isinstance(each, MammoscanError):
        return each.message
    if each.scan is None:
        return None
    return reject_scan(each.name, each.scan.height, each.scan.width, classifier.card.input).message


CHUNK = 64


def list_pictures(images: str | None) -> tuple[Path, dict[str, str]]:
    """Return the folder, and the files in it relative to it; hidden files are left out.

    Args:
        images: A folder, searched with all folders in it, or a single file.

    Returns:
        The folder; and the file's name by what it is called in tables and on pages, which differs where a name
        holds control codes, begins like a formula or is no UTF-8.
    """
    if not images:
        raise MammoscanError(
            "predict.images: found nothing, expected a folder or a file; pass --params predict.images=<folder>"
        )
    try:
        place = Path(images).expanduser()
        is_folder, exists = place.is_dir(), os.path.lexists(place)
    except (OSError, ValueError, RuntimeError) as error:  # too long, a null character, no such user
        raise MammoscanError(
            f"predict.images is {images[:200]}: {error}; expected a folder or a file"
        ) from error
    if exists and not is_folder:
        return place.parent, {_name_safely(place.name): place.name}
    if not is_folder:
        raise MammoscanError(
            f"predict.images is {images}, where there is nothing, expected a folder or a file"
        )
    files = {_name_safely(name): name for name in list_files(place)}
    if not files:
        raise MammoscanError(f"predict.images is {images}, which holds no file, expected images")
    return place, files


def _name_safely(name: str) -> str:
    return defuse_formula(make_printable(name))


def read_regular_file(path: Path, name: str, max_bytes: int) -> bytes:
    """Read a file; a pipe, a socket or a device is an error, and so is a file that is too large."""
    # Opening a named pipe would wait for somebody who writes to it.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise MammoscanError(
                f"{name} is no regular file but a pipe, socket, device or folder: leave it out"
            )
        if found.st_size > max_bytes:
            raise MammoscanError(f"{name} has {found.st_size:,} bytes, expected at most {max_bytes:,}")
        return file.read(max_bytes + 1)


def predict_files(
    classifier: Classifier,
    folder: Path,
    files: Mapping[str, str],
    advance: Callable[[int, int, str], None],
    decoders: DecodePool,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predict files, some at a time.

    A whole scan of a model that takes windows is mapped: its answer is that of the place where the positive label is
    likeliest.

    Args:
        classifier: The model.
        folder: Where they are.
        files: Their names relative to it, by what the table calls them.
        advance: Takes how many are done, of how many, and the last one's name.
        decoders: Where they are decoded.

    Returns:
        The answers, one row per file: ``file``, then what ``classify_prepared`` returns; and the regions of whole
        scans, ``file`` and then what ``map_picture`` returns.
    """
    rows: list[dict[Any, Any]] = []
    regions: list[pd.DataFrame] = []
    names = list(files)
    for first in range(0, len(names), CHUNK):
        chunk = names[first : first + CHUNK]
        prepared = prepare_files(decoders, [(name, make_reader(folder, name, files[name])) for name in chunk])
        table = classify_prepared(classifier, prepared)
        for name, image, row in zip(chunk, prepared, table.to_dict("records"), strict=True):
            answer: dict[Any, Any] = {"file": name, **row}
            if isinstance(image, PreparedImage) and image.scan is not None:
                regions += _answer_scan(classifier, image, answer)
            rows.append(answer)
        advance(min(first + CHUNK, len(names)), len(names), chunk[-1])
    columns = ["file", *REGION_COLUMNS]
    return pd.DataFrame(rows), pd.concat(regions, ignore_index=True) if regions else pd.DataFrame(
        columns=columns
    )


def make_reader(folder: Path, shown: str, name: str) -> Callable[[], bytes]:
    """Return what reads a file of a folder when its turn comes."""
    return lambda: read_regular_file(folder / name, shown, Limits().bytes)


def _answer_scan(classifier: Classifier, image: PreparedImage, answer: dict[Any, Any]) -> list[pd.DataFrame]:
    """Fill in the answer for a whole scan, and return its regions."""
    card, name = classifier.card, image.name
    assert image.scan is not None
    _, regions = map_prepared(classifier, image.scan)
    if regions.empty:
        answer["error"] = f"{name} is a whole scan in which no breast was found, expected a mammogram"
        return []
    top = regions.iloc[0]
    share, positive = float(top["probability"]), card.positive
    if card.is_binary:
        answer["label"] = positive if share >= card.threshold else card.other
        answer[f"p_{card.other}"] = 1 - share
    answer[f"p_{positive}"] = share
    warnings = [
        *image.notes,
        *image.warnings,
        f"a whole scan: the answer is that of its likeliest place, x {top['x']:.0f}, y {top['y']:.0f} from the lower "
        "left; among so many places one is easily high",
    ]
    if "normal" not in card.labels:
        warnings.append(NEVER_NORMAL)
    answer |= {"warnings": warnings, "error": None}
    return [regions.assign(file=name)[["file", *REGION_COLUMNS]]]


# A map takes seconds and half a megabyte.
MAX_MAPS = 20
MAP_SIDE = 1024


def draw_thumbnails(
    folder: Path,
    files: Mapping[str, str],
    scans: set[str],
    model: str,
    advance: Callable[[int, int, str], None],
) -> dict[str, bytes]:
    """Draw a small picture of each file.

    Args:
        folder: Where they are.
        files: Their names relative to it, by what the table calls them; those that cannot be read are left out.
        scans: Those that are whole scans: the first of them are shown with their maps.
        model: Folder of the model that maps them.
        advance: Takes how many are done, of how many, and the last one's name.

    Returns:
        PNG bytes by name.
    """
    classifier = Classifier.load(Path(model)) if scans else None
    drawn: dict[str, bytes] = {}
    maps = 0
    with DecodePool(read_card(Path(model)).takes, workers=1) as decoders:
        for done, (name, path) in enumerate(files.items(), 1):
            try:
                content = make_reader(folder, name, path)()
                if classifier is not None and name in scans and maps < MAX_MAPS:
                    maps += 1
                    drawn[name] = _draw_scan(classifier, decoders.prepare(content, name, MAP_SIDE))
                else:
                    drawn[name] = decoders.shrink(content, name)
            except (MammoscanError, OSError):
                continue
            advance(done, len(files), name)
    return drawn


def _draw_scan(classifier: Classifier, image: PreparedImage) -> bytes:
    scan = image.scan
    assert scan is not None
    assert scan.preview is not None
    found, regions = map_prepared(classifier, scan)
    return render_png(draw_map(classifier, scan, found, regions, image.name, scan.preview), dpi=80)
