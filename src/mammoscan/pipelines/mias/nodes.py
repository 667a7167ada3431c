"""Nodes that draw what only mini-MIAS has: scans, and places in the breast."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mammoscan import figures
from mammoscan.data import mias, mias_notes, mias_regions
from mammoscan.data.mias import list_scans
from mammoscan.data.mias_regions import STORED_VIEWS, cut_blocks, list_samples, place_regions
from mammoscan.datasets import ArrayStream
from mammoscan.evaluation.splits import find_lockbox_rows
from mammoscan.imaging.scan_grid import prepare_scan
from mammoscan.params import (
    AllowModified,
    CropParams,
    PhantomParams,
    Question,
    ScanGridParams,
    Source,
    UnpackLimit,
    ViewParams,
)
from mammoscan.pipelines.reporting.nodes import choose_stamp
from mammoscan.privacy import hash_name
from mammoscan.progress import show_progress
from mammoscan.records.dataset import DatasetRecord

logger = logging.getLogger("mammoscan")


def open_source(
    source: Source,
    phantom: PhantomParams,
    allow_modified: AllowModified,
    unpack_limit_gb: UnpackLimit,
    folder: Path,
) -> DatasetRecord:
    """Find, fetch, unpack or make the data set, and check every file of it.

    Args:
        source: ``phantom``, a folder, an archive or an address.
        phantom: How much of the phantom is made.
        allow_modified: Whether scans may differ from the published sums.
        unpack_limit_gb: What an archive may unpack to.
        folder: Where downloads, unpacked archives and phantoms are kept.

    Returns:
        The record of what was found.
    """
    record = mias.open_mias(source, phantom, allow_modified, unpack_limit_gb, folder)
    if record.kind == "phantom":
        logger.info(
            "PHANTOM data: %d synthetic scans; no number below says anything of patients", record.images
        )
    else:
        logger.info("%s data: %d scans in %s", record.kind, record.images, record.folder)
    return record


def clean_notes(record: DatasetRecord) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the notes: the rows that can be understood, and those that cannot, with the reason."""
    return mias_notes.clean_notes(mias.read_notes(record), mias.list_scans(record))


def standardise_scans(record: DatasetRecord, grid: ScanGridParams) -> ArrayStream:
    """Shrink every scan once and standardise it over its breast.

    Returns:
        A stream of ``[scan, row, column, 2]``: the standardised scan and the breast's mask.
    """
    names = mias.list_scans(record)

    def prepare(name: str) -> np.ndarray:
        small, mask = prepare_scan(mias.read_scan(record, name), grid)
        return np.stack([small, mask.astype(np.uint8)], axis=-1)[None]

    def stream() -> Iterator[np.ndarray]:
        # Pillow and SciPy release the interpreter while they work.
        with show_progress("standardise scans") as advance, ThreadPoolExecutor(4) as pool:
            for done, block in enumerate(pool.map(prepare, names), 1):
                yield block
                advance(done, len(names), "")

    return ArrayStream((len(names), grid.size, grid.size, 2), "uint8", stream())


def choose_regions(
    clean: pd.DataFrame, malformed: pd.DataFrame, question: Question
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose the rows that the question is about; every other row is rejected with its reason."""
    return mias_regions.choose_regions(clean, malformed, question, "patient")


def choose_regions_as_author(
    clean: pd.DataFrame, malformed: pd.DataFrame, question: Question
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose rows as the article did: the first of each scan, no NOTE 3, a region without place at the centre."""
    return mias_regions.choose_regions(clean, malformed, question, "author")


def count_census(clean: pd.DataFrame, malformed: pd.DataFrame, views: ViewParams) -> pd.DataFrame:
    """List group and severity of every image that the article made of all classes, whichever are asked about.

    Its balancing took the sizes of all classes into account, and then some of them.
    """
    chosen = mias_regions.choose_all_as_author(clean, malformed)
    images = chosen.loc[chosen.index.repeat(len(STORED_VIEWS[views.stored]))]
    return images[["group", "severity", "label"]].reset_index(drop=True)


def subsample_rois(
    record: DatasetRecord, grids: np.ndarray, regions: pd.DataFrame, crop: CropParams, views: ViewParams
) -> tuple[pd.DataFrame, ArrayStream]:
    """Cut every region out of its scan.

    Args:
        record: The data set.
        grids: Its standardised scans and breast masks.
        regions: The regions that the question is about.
        crop: How a region becomes an image.
        views: Which views of it become samples.

    Returns:
        ``samples``, and ``pixels`` as a stream in the same order.
    """
    placed = place_regions(regions, mias.list_scans(record), grids, crop)
    samples = list_samples(placed, views, crop)
    blocks = cut_blocks(placed, grids, crop, views, lambda name: mias.read_scan(record, name))
    shape = (len(placed) * len(STORED_VIEWS[views.stored]), crop.size, crop.size, len(crop.scales))
    return samples, ArrayStream(shape, "uint8", blocks)


def draw_scan_sheet(
    record: DatasetRecord, grids: np.ndarray, samples: pd.DataFrame, folds: pd.DataFrame
) -> Figure:
    """Draw scans with their regions marked; those of the lockbox stay unseen."""
    regions = samples.drop(samples.index[find_lockbox_rows(folds)]).drop_duplicates("region_id")
    names = [hash_name(name) for name in list_scans(record)]
    return figures.draw_scan_sheet(grids[..., 0], names, regions, choose_stamp(record))


def draw_place_map(record: DatasetRecord, samples: pd.DataFrame, folds: pd.DataFrame) -> Figure:
    """Draw where in the breast the samples of each label lie, so that a difference would show."""
    return figures.draw_place_map(samples.drop(samples.index[find_lockbox_rows(folds)]), choose_stamp(record))
