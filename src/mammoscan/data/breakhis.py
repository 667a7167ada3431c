"""BreaKHis: 700 x 460 photographs of breast biopsies of 82 patients, benign and malignant, at four magnifications.

Also its 400X images as a table ``dataset.csv`` of path and label lists them.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pandas as pd

from mammoscan.data.image_dataset import ImageSet
from mammoscan.data.image_folder import list_files, list_images, list_rejected
from mammoscan.data.tables import index_table
from mammoscan.errors import MammoscanError
from mammoscan.phantoms import breakhis as generator

ADDRESS = "http://www.inf.ufpr.br/vri/databases/BreaKHis_v1.tar.gz"
CITATION = (
    "Spanhol FA, Oliveira LS, Petitjean C, Heutte L (2016) A Dataset for Breast Cancer Histopathological Image "
    "Classification, IEEE Transactions on Biomedical Engineering 63(7) pp1455-1462"
)
LICENCE = "CC BY 4.0"
# What a reader of any number measured on this data set must know.
DESIGN = "Existing images of biopsies, published as a collection: retrospective for this study."
REFERENCE_STANDARD = "Pathologists, from the biopsy, as the publication says."
LIMITS = (
    "One Brazilian laboratory in 2014, one microscope, surgical biopsies: nothing here was tried on slides of another "
    "laboratory, whose stain differs.",
    "A patient is the slide's number without its letters; a number that stands under two tumour types is one patient.",
    "A pathologist chose where to take each photograph. Finding that place on a whole slide is another, harder task.",
    "All images of a patient have the patient's label, whether or not the tumour is in the picture.",
)
LABELS = {"B": "benign", "M": "malignant"}
TYPES = {
    "A": "adenosis",
    "F": "fibroadenoma",
    "PT": "phyllodes_tumor",
    "TA": "tubular_adenoma",
    "DC": "ductal_carcinoma",
    "LC": "lobular_carcinoma",
    "MC": "mucinous_carcinoma",
    "PC": "papillary_carcinoma",
}
BENIGN_TYPES = ("A", "F", "PT", "TA")
COLUMNS = (
    "sample_id",
    "patient_id",
    "source",
    "label",
    "group",
    "slide",
    "year",
    "magnification",
    "sequence",
)
FORM = "SOB_<B or M>_<type>-<year>-<slide>-<magnification>-<number>.png"
_NAME = re.compile(
    r"SOB_(?P<tumour>[BM])_(?P<type>[A-Z]+)-(?P<year>\d+)-(?P<slide>(?P<patient>\d+)[A-Z]*)"
    r"-(?P<magnification>40|100|200|400)-(?P<sequence>\d+)\.png",
    re.IGNORECASE,
)
_MAGNIFICATION_FOLDER = re.compile(r"(40|100|200|400)X", re.IGNORECASE)


class NamedImage(NamedTuple):
    """What the name of a BreaKHis file says.

    ``patient`` is the slide's number without its letters: 22549AB and 22549CD are two slides of one case.
    """

    label: str
    type: str
    year: str
    slide: str
    patient: str
    magnification: str
    sequence: str


def read_name(name: str) -> NamedImage | str:
    """Parse a file's name; return the reason if it does not follow the form."""
    match = _NAME.fullmatch(name)
    if match is None:
        return f"its name is not of the form {FORM}"
    parts = {key: value.upper() for key, value in match.groupdict().items()}
    label, kind = LABELS[parts["tumour"]], parts["type"]
    if kind not in TYPES:
        return f"its name has tumour type {kind!r}, expected one of {' '.join(TYPES)}"
    if (kind in BENIGN_TYPES) != (label == "benign"):
        return f"its name calls {TYPES[kind].replace('_', ' ')} {label}"
    patient = str(int(parts["patient"]))
    return NamedImage(
        label, TYPES[kind], parts["year"], parts["slide"], patient, parts["magnification"], parts["sequence"]
    )


def index_breakhis(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Index the plain tree of BreaKHis, or any part of it, by file names; the folders must not contradict them.

    Args:
        folder: Folder of the files, which may lie at any depth.

    Returns:
        ``images`` (with ``slide``, ``year``, ``magnification`` and ``sequence``; ``group`` is the tumour type) and
        ``rejected``.
    """
    files, rejected = list_images(folder)
    rows: list[tuple[str, ...]] = []
    refused: list[tuple[str, str]] = []
    first: dict[str, str] = {}
    for source in files:
        path = PurePosixPath(source)
        named = read_name(path.name)
        reason = named if isinstance(named, str) else _find_contradiction(path, named)
        same = first.setdefault(path.name.upper(), source)
        if same != source and not reason:
            reason = f"a second file of this name: {same} is kept"
        if reason or isinstance(named, str):
            refused.append((source, reason))
        else:
            rows.append(make_row(source, named))
    return make_table(rows), pd.concat([rejected, list_rejected(refused)], ignore_index=True)


def make_row(source: str, named: NamedImage) -> tuple[str, ...]:
    """Return an image's row in the order of ``COLUMNS``."""
    name = PurePosixPath(source).stem
    return (
        name, named.patient, source, named.label, named.type,
        named.slide, named.year, named.magnification, named.sequence,
    )  # fmt: skip


def make_table(rows: list[tuple[str, ...]]) -> pd.DataFrame:
    """Return the images' table."""
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=str)


def _find_contradiction(path: PurePosixPath, named: NamedImage) -> str:
    """Return how a folder contradicts the file's name, or an empty text."""
    for folder in path.parts[:-1]:
        magnification = _MAGNIFICATION_FOLDER.fullmatch(folder)
        if folder.lower() in LABELS.values() and folder.lower() != named.label:
            return f"its name says {named.label}, its folder {folder}"
        if magnification and magnification[1] != named.magnification:
            return f"its name says magnification {named.magnification}, its folder {folder}"
        if folder.lower() in TYPES.values() and folder.lower() != named.type:
            return f"its name says {named.type}, its folder {folder}"
    return ""


IMAGE_SET = ImageSet(
    name="breakhis",
    title="BreaKHis",
    index=index_breakhis,
    address=ADDRESS,
    citation=CITATION,
    licence=LICENCE,
    design=DESIGN,
    reference_standard=REFERENCE_STANDARD,
    limits=LIMITS,
    write_phantom=generator.write_phantom,
    generator=generator.GENERATOR,
)


TABLE = "dataset.csv"
# Spellings of a label in such a table.
SPELLINGS = {"b": "benign", "0": "benign", "m": "malignant", "1": "malignant"}


def index_listed(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Index the images that ``dataset.csv`` lists, or all images of a plain BreaKHis tree without such a table.

    Args:
        folder: Folder of the files and the table.

    Returns:
        ``images`` as of ``breakhis``, and ``rejected``. Files that the table does not list are not part of the set.
    """
    tables = [name for name in list_files(folder) if PurePosixPath(name).name.lower() == TABLE]
    if not tables:
        return index_breakhis(folder)
    if len(tables) > 1:
        raise MammoscanError(
            f"{folder} holds {len(tables)} files {TABLE} ({', '.join(tables[:3])}), expected one: name its own folder"
        )
    listed, rejected = index_table(folder, tables[0])
    rows: list[tuple[str, ...]] = []
    refused: list[tuple[str, str]] = []
    names: dict[str, str] = {}
    for source, label in zip(listed["source"], listed["label"], strict=True):
        named = read_name(PurePosixPath(source).name)
        said = SPELLINGS.get(label.strip().lower(), label.strip().lower())
        if isinstance(named, str):
            refused.append((source, named))
        elif said not in LABELS.values():
            refused.append((source, f"{TABLE} calls it {label!r}, expected benign or malignant"))
        elif said != named.label:
            refused.append((source, f"its name says {named.label}, {TABLE} says {said}"))
        elif names.setdefault(PurePosixPath(source).stem, source) != source:
            first = names[PurePosixPath(source).stem]
            refused.append((source, f"a second file of this name: {first} is kept"))
        else:
            rows.append(make_row(source, named))
    return make_table(rows), pd.concat([rejected, list_rejected(refused)], ignore_index=True)


def list_dataset(images: pd.DataFrame) -> pd.DataFrame:
    """Return the ``dataset.csv`` of some images: ``path`` and ``label``."""
    return images[["source", "label"]].rename(columns={"source": "path"}).reset_index(drop=True)


IMAGE_SET_400X = ImageSet(
    name="breakhis_400x",
    title="BreaKHis at 400X",
    index=index_listed,
    address=ADDRESS,
    citation=CITATION,
    licence=LICENCE,
    design=DESIGN,
    reference_standard=REFERENCE_STANDARD,
    limits=(
        "Which of the images at 400X the table lists was someone's choice: the plain tree holds more of them.",
        *LIMITS,
    ),
    write_phantom=generator.write_listed_phantom,
    generator=generator.GENERATOR,
)
