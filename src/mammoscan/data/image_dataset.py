"""Data sets of image files: what defines one, and how it is opened and indexed.

A data set is an ``ImageSet``: facts, a function that reads file names and folders, and one that draws the phantom.
Everything after it (decoding, splitting, training, evaluation, reports) knows only the table it returns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pandas as pd

from mammoscan.data.checksums import fingerprint_checksums, hash_tree
from mammoscan.data.download import hide_secrets
from mammoscan.data.image_folder import find_data_folder, list_files
from mammoscan.data.locate import is_address, locate_source
from mammoscan.data.phantom_folder import STAMP, make_phantom, mark_phantom, read_stamp
from mammoscan.errors import MammoscanError
from mammoscan.params import PhantomParams
from mammoscan.plugins import describe_failure, load_extensions
from mammoscan.records.dataset import DatasetRecord

REQUIRED = ("sample_id", "patient_id", "source", "label", "group")
"""Columns that every row has; ``source`` is the file's path relative to the folder, with ``/``."""

BUILT_IN = {
    "pneumonia": "pneumonia:IMAGE_SET",
    "breakhis": "breakhis:IMAGE_SET",
    "breakhis_400x": "breakhis:IMAGE_SET_400X",
    "idc": "idc:IMAGE_SET",
}
"""The package's own data sets as ``module:name``; others register themselves."""

Index = Callable[[Path], tuple[pd.DataFrame, pd.DataFrame]]
PhantomWriter = Callable[[Path, PhantomParams, Callable[[int, int], None] | None], None]


@dataclass(frozen=True)
class ImageSet:
    """One data set of image files.

    Attributes:
        name: Namespace of its catalog entries and of its block of parameters.
        title: Its name for a reader.
        index: From a folder to ``(images, rejected)``; no pixel is decoded. ``images`` has one row per file:
            ``sample_id`` (unique and stable: made from the relative path), ``patient_id``, ``source`` (relative path),
            ``label`` (as published), ``group`` (a finer class than the label, or the label) and columns of its own.
            ``rejected`` has ``source`` and ``reason``: every file that is not in ``images``.
        address: Where it is published.
        citation: What to cite.
        licence: What may be done with it.
        design: How the images were collected.
        reference_standard: Who set the labels, and how.
        limits: What a reader of any number measured on it must know.
        write_phantom: Fills an empty folder with a synthetic stand-in, if there is one.
        generator: Version of the phantom; raise it with any change of the pixels.
    """

    name: str
    title: str
    index: Index
    address: str = ""
    citation: str = ""
    licence: str = ""
    design: str = ""
    reference_standard: str = ""
    limits: tuple[str, ...] = ()
    write_phantom: PhantomWriter | None = None
    generator: int = 1


_REGISTERED: dict[str, ImageSet] = {}


def register_images(images: ImageSet) -> ImageSet:
    """Register a data set under its name; a later one of the same name replaces it."""
    _REGISTERED[images.name] = images
    return images


def find_image_set(name: str) -> ImageSet:
    """Return a data set by its name, registered or built in."""
    if name not in _REGISTERED and name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        register_images(getattr(import_module(f"mammoscan.data.{module}"), attribute))
    if name not in _REGISTERED:
        # A process spawned by a runner has not imported the project's own modules yet.
        load_extensions()
    if name not in _REGISTERED:
        known = ", ".join(sorted({*BUILT_IN, *_REGISTERED}))
        raise MammoscanError(
            f"There is no data set {name!r}, expected one of: {known}; "
            "write one (docs/how-to/add-a-study.md) and name its module in pyproject.toml"
        )
    return _REGISTERED[name]


def open_images(
    dataset: str, source: str, phantom: PhantomParams, unpack_limit_gb: float, folder: Path
) -> DatasetRecord:
    """Find the files of a data set, or make its phantom, and fingerprint every file.

    Args:
        dataset: Name of the data set.
        source: ``phantom``, a folder (read in place), an archive on disk or an http(s) address.
        phantom: Size and seed of the phantom.
        unpack_limit_gb: Largest size that an archive may unpack to.
        folder: Where the phantom, downloads and unpacked archives go.

    Returns:
        The record of the data set.
    """
    known = find_image_set(dataset)
    if source == "phantom":
        root = _make_phantom(known, phantom, folder)
    else:
        root = locate_source(f"{dataset}.source", source, folder, unpack_limit_gb)
    home = find_data_folder(root)
    images, rejected = _index(known, home)
    if images.empty:
        why = f": {rejected['reason'].iloc[0]} ({rejected['source'].iloc[0]})" if len(rejected) else ""
        raise MammoscanError(f"{home} holds no image of {known.title}{why}; expected its files as published")
    record = DatasetRecord(
        dataset=dataset,
        title=known.title,
        kind="real",
        source=hide_secrets(source) if is_address(source) else source,
        folder=str(home.resolve()),
        fingerprint=fingerprint_checksums(hash_tree(home, list_files(home))),
        images=len(images),
        patients=int(images["patient_id"].nunique()),
        citation=known.citation,
        licence=known.licence,
        address=known.address,
        design=known.design,
        reference_standard=known.reference_standard,
        limits=known.limits,
    )
    # A phantom's folder stays a phantom, also where it is given as a folder or an archive.
    return record if (read_stamp(root) or read_stamp(home)) is None else mark_phantom(record)


def index_images(record: DatasetRecord) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read patient, label and more from the names and folders of a data set's files, and check the rows.

    Returns:
        ``images`` and ``rejected``, see ``ImageSet.index``.
    """
    images, rejected = _index(find_image_set(record.dataset), Path(record.folder))
    return images.reset_index(drop=True), rejected.reset_index(drop=True)


def _index(known: ImageSet, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Call a data set's own function, and check what it returns; what goes wrong in there is one line."""
    try:
        images, rejected = known.index(folder)
        columns = set(images.columns)
        rejected = rejected[["source", "reason"]]
    except MammoscanError:
        raise
    except Exception as error:
        raise MammoscanError(
            f"{known.name}: its index function failed, {describe_failure(error)}; expected two tables, images with "
            f"{', '.join(REQUIRED)} and rejected with source and reason"
        ) from error
    for column in REQUIRED:
        if column not in columns or images[column].isna().any():
            raise MammoscanError(
                f"{known.name}: a row of its images has no {column}, expected {', '.join(REQUIRED)} in all"
            )
    twice = images["sample_id"][images["sample_id"].duplicated()]
    if len(twice):
        raise MammoscanError(
            f"{known.name}: sample_id {twice.iloc[0]!r} stands twice, expected once: "
            "make it from the relative path"
        )
    return images, rejected


def _make_phantom(known: ImageSet, params: PhantomParams, folder: Path) -> Path:
    write = known.write_phantom
    if write is None:
        raise MammoscanError(
            f"{known.name}.source is 'phantom', but {known.title} has none; expected a folder, an archive or an "
            f"address: set {known.name}.source"
        )
    stamp = {
        "dataset": known.name,
        "patients": params.patients,
        "seed": params.seed,
        "version": known.generator,
    }
    target = folder / f"phantom-{params.patients}-{params.seed}"
    return make_phantom(target, stamp, lambda place, show: write(place, params, show))


__all__ = [
    "REQUIRED",
    "STAMP",
    "ImageSet",
    "find_image_set",
    "index_images",
    "open_images",
    "register_images",
]
