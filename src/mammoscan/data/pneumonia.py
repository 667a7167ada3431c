"""Chest X-rays of children, with or without pneumonia: train, val and test, each with Normal and Opacity."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pandas as pd

from mammoscan.data.image_dataset import ImageSet
from mammoscan.data.image_folder import list_images, list_rejected
from mammoscan.phantoms import pneumonia as phantom

# Mendeley names the folders Normal and Opacity, Kaggle NORMAL and PNEUMONIA.
LABELS = {"normal": "Normal", "opacity": "Opacity", "pneumonia": "Opacity"}
PARTS = ("train", "val", "test")
NO_PART = "none"
# person123_bacteria_456.jpeg; IM-0115-0001.jpeg; NORMAL2-IM-0501-0001.jpeg; IM-0629-0001-0002.jpeg
_NAMES = re.compile(r"(?:person(\d+)_(bacteria|virus)_|((?:NORMAL2-)?IM-\d+)-)", re.IGNORECASE)
DESIGN = "Retrospective: films that were taken in routine care, published as a collection."
REFERENCE_STANDARD = (
    "Physicians read the films: the publication tells of two, and of a third for its test folder."
)
LIMITS = (
    "Children of one to five years of one hospital in Guangzhou, front views: nothing here was tried on adults or on "
    "films of another hospital.",
    "A patient is taken to be a person's number in the file's name, whatever the germ; normal films count as printed, "
    "so that IM-0115 and NORMAL2-IM-0115 are two patients. Numbers of the published parts may mean other persons: then "
    "two persons count as one, never the other way round.",
    "Normal films and films of pneumonia differ in size and shape, which tells the label without any look at a lung: "
    "compare the network with the metadata baseline.",
    "Who has an opacity was read from the film. Pneumonia is a diagnosis that also rests on the child.",
)


def index_images(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read patient, label, germ and published part of every file from its name and folders.

    Args:
        folder: Folder of ``train``, ``val`` and ``test``, each with ``Normal`` and ``Opacity`` or ``PNEUMONIA``; a
            folder without those parts will do for a study that divides the patients itself. Of a tree that lies in
            itself once more, as Kaggle's chest_xray/chest_xray, one is taken.

    Returns:
        ``images``, with ``germ`` (``bacteria``, ``virus`` or ``none``) and ``published``; and ``rejected``.
    """
    files, rejected = list_images(folder)
    rows, refused = [], []
    first: dict[tuple[str, str, str], str] = {}
    # The outer tree comes first.
    for source in sorted(files, key=lambda name: (name.count("/"), name)):
        path = PurePosixPath(source)
        label = LABELS.get(path.parent.name.lower())
        match = _NAMES.match(path.name)
        if label is None:
            refused.append((source, "not in a folder Normal, Opacity or PNEUMONIA, which names the label"))
        elif match is None:
            refused.append(
                (source, "no patient in its name, expected one like person12_virus_3 or IM-0115-0001")
            )
        else:
            number, germ, film = match.groups()
            patient = f"person{int(number)}" if number else film.upper()
            part = path.parent.parent.name.lower()
            part = part if part in PARTS else NO_PART
            twin = first.setdefault((part, label, path.name), source)
            if twin != source and (folder / twin).read_bytes() == (folder / source).read_bytes():
                refused.append((source, f"an exact copy of {twin}, which is kept"))
                continue
            rows.append((source, patient, source, label, label, (germ or "none").lower(), part))
    columns = ["sample_id", "patient_id", "source", "label", "group", "germ", "published"]
    images = pd.DataFrame(sorted(rows), columns=columns, dtype=str)
    return images, pd.concat([rejected, list_rejected(refused)], ignore_index=True)


IMAGE_SET = ImageSet(
    name="pneumonia",
    title="Chest X-ray images (pneumonia)",
    index=index_images,
    address="https://data.mendeley.com/datasets/rscbjbr9sj/2",
    citation=(
        "Kermany D, Zhang K, Goldbaum M (2018) Labeled Optical Coherence Tomography (OCT) and Chest X-Ray Images for "
        "Classification, Mendeley Data, v2, doi:10.17632/rscbjbr9sj.2"
    ),
    licence="CC BY 4.0",
    design=DESIGN,
    reference_standard=REFERENCE_STANDARD,
    limits=LIMITS,
    write_phantom=phantom.write_phantom,
    generator=phantom.GENERATOR,
)
