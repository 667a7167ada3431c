from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from mammoscan.data import mias, mias_subsamples
from mammoscan.data.mias_regions import choose_all_as_author
from mammoscan.params import SubsamplesParams
from mammoscan.records.dataset import DatasetRecord

logger = logging.getLogger("mammoscan")


def write_subsamples(
    record: DatasetRecord,
    clean: pd.DataFrame,
    malformed: pd.DataFrame,
    subsamples: SubsamplesParams,
    image_folder: Path,
) -> pd.DataFrame:
    """Write the article's twelve images of every region as PNG files; files that are there are kept.

    Args:
        record: The data set.
        clean: Its notes.
        malformed: The rows that could not be read.
        subsamples: The side of the images.
        image_folder: Where they are written.

    Returns:
        A table with one row per file.
    """
    regions = choose_all_as_author(clean, malformed)
    found = mias_subsamples.write_subsamples(
        regions, subsamples.size, image_folder, lambda name: mias.read_scan(record, name)
    )
    logger.info(
        "subsamples: %d images of %d regions in %s: %d written, %d there already, %d of another run removed",
        *(len(found.files), len(regions), image_folder),
        *(found.written, len(found.files) - found.written, found.removed),
    )
    return found.files
