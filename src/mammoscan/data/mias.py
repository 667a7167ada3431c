"""The mini-MIAS mammograms: 322 scans of 161 patients, and the notes in Info.txt."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

import numpy as np

from mammoscan.data.checksums import compare_checksums, fingerprint_checksums, hash_files, read_manifest
from mammoscan.data.download import hide_secrets
from mammoscan.data.locate import find_named_file, is_address, locate_source
from mammoscan.data.pgm import read_pgm
from mammoscan.data.phantom_folder import make_phantom, mark_phantom, read_stamp
from mammoscan.errors import MammoscanError
from mammoscan.params import PhantomParams
from mammoscan.records.dataset import DatasetRecord

SIDE = 1024
NOTES = "Info.txt"
MANIFEST = "mias.sha256"
ADDRESS = "http://peipa.essex.ac.uk/pix/mias/all-mias.tar.gz"
CITATION = (
    "Suckling J et al (1994) The Mammographic Image Analysis Society Digital Mammogram Database, "
    "Exerpta Medica, International Congress Series 1069 pp375-378"
)
# What a reader of any number measured on this data set must know.
LIMITS = (
    "One British screening programme, films of the early 1990s, digitised and reduced to 200 µm a pixel: "
    "nothing here was tried on digital mammography.",
    "A patient is taken to be a pair of consecutive scans, as the data set's notes say.",
    "The abnormal regions are where a radiologist marked them. Finding them in a whole scan is another, harder task.",
)
DESIGN = "Retrospective: existing screening films, published as a collection."
REFERENCE_STANDARD = (
    "A radiologist's markings, in the data set's notes. The notes do not say how benign and malignant were "
    "established."
)
LICENCE = "Research use only, see Licence.txt beside the scans"
_SCAN = re.compile(r"mdb([0-9]+)\.pgm", re.IGNORECASE)


def open_mias(
    source: str, phantom: PhantomParams, allow_modified: bool, unpack_limit_gb: float, folder: Path
) -> DatasetRecord:
    """Find the files of mini-MIAS, or make the phantom, and check them.

    Args:
        source: ``phantom``, a folder (read in place), an archive on disk or an http(s) address.
        phantom: Size and seed of the phantom.
        allow_modified: Whether scans may differ from the published ones.
        unpack_limit_gb: Largest size that an archive may unpack to.
        folder: Where the phantom, downloads and unpacked archives go.

    Returns:
        The record of the data set, which the other functions here take.
    """
    if source == "phantom":
        root = _make_phantom(folder, phantom)
    else:
        root = locate_source("mias.source", source, folder, unpack_limit_gb)
    notes = find_named_file(root, NOTES)
    home = notes.parent
    scans = _find_scans(home)
    sums = hash_files([*scans.values(), notes])
    found = {name: digest for name, digest in sums.items() if name != notes.name.lower()}
    record = DatasetRecord(
        dataset="mias",
        title="mini-MIAS",
        kind="real",
        verified=True,
        source=hide_secrets(source) if is_address(source) else source,
        folder=str(home.resolve()),
        fingerprint=fingerprint_checksums(sums),
        unit="scans",
        images=len(scans),
        patients=len({(number - 1) // 2 for number in scans}),
        citation=CITATION,
        licence=LICENCE,
        address=ADDRESS,
        design=DESIGN,
        reference_standard=REFERENCE_STANDARD,
        limits=LIMITS,
    )
    stamp = read_stamp(root) or read_stamp(home)
    if stamp is not None and stamp.get("dataset") == "mias":
        # A phantom's folder stays a phantom, also where it is given as a folder or an archive.
        expected = 2 * stamp["patients"]
        if len(scans) != expected:
            raise MammoscanError(
                f"The phantom in {home} holds {len(scans)} scans, expected {expected}: make it anew"
            )
        return mark_phantom(record)
    published = read_manifest(MANIFEST)
    difference = compare_checksums(found, published)
    if not difference:
        return record
    if not allow_modified:
        raise MammoscanError(
            f"{home} is not mini-MIAS as published: {difference}; expected the {len(published)} published "
            f"scans: get them again from {ADDRESS}, or set mias.allow_modified: true to use these"
        )
    differing = {name: tuple(getattr(difference, name)) for name in ("changed", "missing", "unexpected")}
    return record.model_copy(update={"kind": "modified", "verified": False, **differing})


def read_notes(record: DatasetRecord) -> str:
    """Return the text of Info.txt in any encoding."""
    data = find_named_file(Path(record.folder), NOTES).read_bytes()
    return data.removeprefix(codecs.BOM_UTF8).decode("latin-1")


def list_scans(record: DatasetRecord) -> list[str]:
    """Return the scans' file names in the order of their numbers."""
    return [path.name for _, path in sorted(_find_scans(Path(record.folder)).items())]


def read_scan(record: DatasetRecord, name: str) -> np.ndarray:
    """Return one scan as uint8 of 1024 x 1024, memory-mapped where possible."""
    path = Path(record.folder) / name
    scan = read_pgm(path)
    if scan.shape != (SIDE, SIDE):
        raise MammoscanError(
            f"{path} is {scan.shape[1]} x {scan.shape[0]} pixels, expected {SIDE} x {SIDE}, "
            "which is what the notes' coordinates count: restore the published scan"
        )
    return scan


def _find_scans(folder: Path) -> dict[int, Path]:
    scans: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        match = _SCAN.fullmatch(path.name)
        if match is None or not path.is_file():
            continue
        number = int(match[1])
        if number in scans:
            raise MammoscanError(
                f"{folder} holds {scans[number].name} and {path.name}, expected one of them: move one"
            )
        scans[number] = path
    if not scans:
        raise MammoscanError(f"{folder} holds {NOTES} but no scan, expected files like mdb001.pgm beside it")
    return scans


def _make_phantom(folder: Path, params: PhantomParams) -> Path:
    from mammoscan.phantoms import mias as generator

    stamp = {
        "dataset": "mias",
        "patients": params.patients,
        "seed": params.seed,
        "version": generator.GENERATOR,
    }
    target = folder / f"phantom-{params.patients}-{params.seed}"
    return make_phantom(target, stamp, lambda place, show: generator.write_phantom(place, params, show))
