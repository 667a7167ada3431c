"""The 400X images of BreaKHis through a table of path and label; made from the plain tree where there is none."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.phantoms import breakhis as generator
from mammoscan.sources import breakhis
from mammoscan.sources.image_table import index_table
from mammoscan.sources.images import ImageSet
from mammoscan.sources.listing import list_files, list_rejected

TABLE = "dataset.csv"
# What a label may be called in such a table.
SPELLINGS = {"b": "benign", "0": "benign", "m": "malignant", "1": "malignant"}


def index_listed(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Index the images that ``dataset.csv`` lists; all images of a plain BreaKHis tree where there is no such table.

    Args:
        folder: Where the files, and the table, lie.

    Returns:
        ``images`` as of ``breakhis``, and ``rejected``. A file that the table does not list is no part of the set.
    """
    tables = [name for name in list_files(folder) if PurePosixPath(name).name.lower() == TABLE]
    if not tables:
        return breakhis.index_breakhis(folder)
    if len(tables) > 1:
        raise MammoscanError(
            f"{folder} holds {len(tables)} files {TABLE} ({', '.join(tables[:3])}), expected one: name its own folder"
        )
    listed, rejected = index_table(folder, tables[0])
    rows: list[tuple[str, ...]] = []
    refused: list[tuple[str, str]] = []
    names: dict[str, str] = {}
    for source, label in zip(listed["source"], listed["label"], strict=True):
        told = breakhis.read_name(PurePosixPath(source).name)
        said = SPELLINGS.get(label.strip().lower(), label.strip().lower())
        if isinstance(told, str):
            refused.append((source, told))
        elif said not in breakhis.LABELS.values():
            refused.append((source, f"{TABLE} calls it {label!r}, expected benign or malignant"))
        elif said != told.label:
            refused.append((source, f"its name says {told.label}, {TABLE} says {said}"))
        elif names.setdefault(PurePosixPath(source).stem, source) != source:
            first = names[PurePosixPath(source).stem]
            refused.append((source, f"a second file of this name: {first} is kept"))
        else:
            rows.append(breakhis.make_row(source, told))
    return breakhis.make_table(rows), pd.concat([rejected, list_rejected(refused)], ignore_index=True)


def list_dataset(images: pd.DataFrame) -> pd.DataFrame:
    """Return the ``dataset.csv`` of some images: ``path`` and ``label``."""
    return images[["source", "label"]].rename(columns={"source": "path"}).reset_index(drop=True)


IMAGE_SET = ImageSet(
    name="breakhis_400x",
    title="BreaKHis at 400X",
    index=index_listed,
    address=breakhis.ADDRESS,
    citation=breakhis.CITATION,
    licence=breakhis.LICENCE,
    limits=(
        "Which of the images at 400X the table lists was someone's choice: the plain tree holds more of them.",
        *breakhis.LIMITS,
    ),
    write_phantom=generator.write_listed_phantom,
    generator=generator.GENERATOR,
)
