from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from mammoscan.data import image_dataset, image_selection, own_images, packing
from mammoscan.datasets import ArrayFile
from mammoscan.evaluation.difference_hash import difference_hash, group_near
from mammoscan.params import ImagesParams, PackParams, PhantomParams, Question, Source, UnpackLimit
from mammoscan.progress import show_progress
from mammoscan.records.dataset import DatasetRecord

logger = logging.getLogger("mammoscan")


def open_source(
    source: Source, phantom: PhantomParams, unpack_limit_gb: UnpackLimit, raw_folder: Path
) -> DatasetRecord:
    """Find, fetch, unpack or make the data set, and take the fingerprint of every file of it.

    Args:
        source: ``phantom``, a folder, an archive or an address.
        phantom: How much of the phantom is made.
        unpack_limit_gb: What an archive may unpack to.
        raw_folder: Where downloads, unpacked archives and phantoms are kept; it bears the data set's name.

    Returns:
        The record of what was found.
    """
    record = image_dataset.open_images(raw_folder.name, source, phantom, unpack_limit_gb, raw_folder)
    found = (record.images, record.patients)
    if record.kind == "phantom":
        logger.info(
            "PHANTOM data: %d synthetic images of %d made-up patients; no number below says anything of patients",
            *found,
        )
    else:
        logger.info("%s data: %d images of %d patients in %s", record.kind, *found, record.folder)
    return record


def open_own_images(images: ImagesParams, raw_folder: Path) -> DatasetRecord:
    """Find, fetch or unpack the images of one's own, and take the fingerprint of every file.

    Args:
        images: Where the images are, and where their labels and patients come from.
        raw_folder: Where downloads and unpacked archives are kept; it bears the study's name.

    Returns:
        The record of what was found.
    """
    record = own_images.open_own_images(raw_folder.name, images, raw_folder)
    who = f"of {record.patients:,} patients" if record.patients_known else "(patients unknown)"
    logger.info("%s data: %d images %s in %s", record.kind, record.images, who, record.folder)
    return record


def index_own_images(record: DatasetRecord, images: ImagesParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read patient and label of each image from its path, a table or DICOM tags; the others, with the reason."""
    found = own_images.index_own_images(record.dataset, Path(record.folder), images)
    if found.copies:
        logger.info(
            "%d files are exact copies of others; one of each was kept, see malformed.csv", found.copies
        )
    return found.images, found.rejected


def index_images(record: DatasetRecord) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read patient, label and what else names and folders tell of each file; the others, with the reason."""
    return image_dataset.index_images(record)


def choose_images(
    indexed: pd.DataFrame, malformed: pd.DataFrame, question: Question, pack: PackParams
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose the images that the question is about; every other one is left out with its reason."""
    return image_selection.choose_images(indexed, malformed, question, pack)


def count_census(chosen: pd.DataFrame) -> pd.DataFrame:
    """List group and label of every image, by which an article's balancing sets its sizes."""
    return chosen[["group", "label"]]


def pack_images(
    record: DatasetRecord, chosen: pd.DataFrame, left_out: pd.DataFrame, pack: PackParams, pack_folder: Path
) -> tuple[pd.DataFrame, ArrayFile, pd.DataFrame]:
    """Decode every chosen image once and put them into one array.

    Args:
        record: The data set.
        chosen: The images.
        left_out: The files that are no part of the study, with the reason.
        pack: Size and channels of the array.
        pack_folder: Where the array is kept, to be found again by the next run on the same files.

    Returns:
        ``samples``, ``pixels`` in the same order, and ``rejected``: all files that are not among them.
    """
    with show_progress("pack images") as advance:
        packed = packing.pack_images(
            record, chosen, pack, pack_folder, lambda done, total: advance(done, total, "")
        )
    height, width = pack.size
    logger.info(
        "%s %d images at %d x %d x %d%s",
        "reused the pack of" if packed.reused else "packed",
        len(packed.samples),
        height,
        width,
        pack.channels,
        f"; {len(packed.refused)} could not be used, see rejected.csv" if len(packed.refused) else "",
    )
    # Every image is a region of its own, and no other image is a view of it.
    samples = packed.samples.assign(region_id=packed.samples["sample_id"])
    if not record.patients_known:
        samples = keep_near_copies_together(samples, np.load(packed.pixels, mmap_mode="r"))
    return samples, ArrayFile(packed.pixels), pd.concat([left_out, packed.refused], ignore_index=True)


def keep_near_copies_together(samples: pd.DataFrame, pixels: np.ndarray) -> pd.DataFrame:
    """Let images that look alike count as one patient's, where nobody knows whose they are."""
    groups = group_near(difference_hash(pixels))
    first = pd.Series(samples["sample_id"].to_numpy()).groupby(groups).transform("first")
    alike = len(samples) - first.nunique()
    if alike:
        logger.info("patients unknown: %d images look nearly like another one and stay on its side", alike)
    return samples.assign(patient_id=first.to_numpy())
