"""The record of a data set: what was found at its source."""

from __future__ import annotations

from typing import Literal

from mammoscan.records.base import Record


class DatasetRecord(Record):
    """What was found at the source of a data set; the catalog keeps it as ``{study}.raw``.

    Attributes:
        dataset: Namespace of the data set, e.g. ``mias``.
        title: Its name for a reader.
        kind: ``phantom`` is synthetic; ``modified`` differs from what its publisher's checksums say; ``real`` is
            anything else.
        verified: Whether every file has the checksum that the publisher's file has.
        source: What the user gave, without credentials.
        folder: Where the files lie.
        fingerprint: Changes with the path or the content of any file.
        unit: What a file is called, in the plural.
        images: Number of files.
        patients: Number of patients; of images where no patient is known.
        patients_known: Whether file names, folders or tables say whom an image is of.
        citation: What to cite.
        licence: What may be done with the files.
        address: Where they are published.
        design: How the images were collected, e.g. retrospectively; empty where nobody said.
        reference_standard: Who set the labels, and how; empty where nobody said.
        limits: What a reader of any number measured on them must know.
        changed: Files whose checksum differs from the published one.
        missing: Published files that are not there.
        unexpected: Files that were not published.
    """

    dataset: str
    title: str
    kind: Literal["phantom", "real", "modified"]
    verified: bool = False
    source: str
    folder: str
    fingerprint: str
    unit: Literal["images", "scans"] = "images"
    images: int
    patients: int
    patients_known: bool = True
    citation: str = ""
    licence: str = ""
    address: str = ""
    design: str = ""
    reference_standard: str = ""
    limits: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
