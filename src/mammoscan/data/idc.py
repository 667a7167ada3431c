"""Patches of 50 x 50 pixels from slides of invasive ductal carcinoma: does a patch hold tumour or not?"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pandas as pd

from mammoscan.data.image_dataset import ImageSet
from mammoscan.data.image_folder import list_images, list_rejected
from mammoscan.phantoms import idc as generator

ADDRESS = "http://gleason.case.edu/webdata/jpi-dl-tutorial/IDC_regular_ps50_idx5.zip"
CITATION = (
    "Janowczyk A, Madabhushi A (2016) Deep learning for digital pathology image analysis: a comprehensive tutorial "
    "with selected use cases, Journal of Pathology Informatics 7:29; Cruz-Roa A et al (2014) Automatic detection of "
    "invasive ductal carcinoma in whole slide images with convolutional neural networks, Proc SPIE 9041"
)
LICENCE = "As its publishers say: see the address"
# What a reader of any number measured on this data set must know.
DESIGN = "Retrospective: existing slides, published as a collection of patches."
REFERENCE_STANDARD = (
    "A pathologist delineated the tumour on the slide by hand; a patch bears the label of its place."
)
LIMITS = (
    "Every patient here has invasive ductal carcinoma: the question is where it lies, not who has it.",
    "One slide a patient, cut without overlap: neighbouring patches are alike, and only patients are independent.",
    "The tumour's outline was drawn by hand, coarsely, on a small copy of the slide; patches at its border are "
    "labelled by chance.",
)
LABELS = {"0": "no_idc", "1": "idc"}
SIDE = 50
FORM = "<patient>_idx5_x<X>_y<Y>_class<0 or 1>.png"
_NAME = re.compile(
    r"(?P<patient>\d+)_idx(?P<index>\d+)_x(?P<x>\d+)_y(?P<y>\d+)_class(?P<label>[01])\.png", re.I
)


def index_idc(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Index the patches: ``<patient>/<0 or 1>/<patient>_idx5_x<X>_y<Y>_class<0 or 1>.png``.

    Args:
        folder: Folder of the files, which may lie at any depth.

    Returns:
        ``images`` (``x`` and ``y`` are the patch's upper left corner in its slide, in pixels to the right and
        downwards) and ``rejected``. A file's name and its folders must agree.
    """
    files, rejected = list_images(folder)
    rows: list[tuple[str, str, str, str, str, int, int]] = []
    refused: list[tuple[str, str]] = []
    named = [(source, _NAME.fullmatch(PurePosixPath(source).name)) for source in files]
    # Two labels at one place: neither can be trusted.
    labels: dict[tuple[str, int, int], set[str]] = {}
    for _, match in named:
        if match is not None:
            labels.setdefault(_read_place(match), set()).add(match["label"])
    taken: dict[tuple[str, int, int], str] = {}
    for source, match in named:
        if match is None:
            refused.append((source, f"its name is not of the form {FORM}"))
            continue
        path, place, label = PurePosixPath(source), _read_place(match), match["label"]
        reason = _find_contradiction(path, place[0], label)
        if not reason and len(labels[place]) > 1:
            reason = f"two labels for the patch at x {place[1]}, y {place[2]} of patient {place[0]}"
        if not reason and taken.setdefault(place, source) != source:
            reason = f"a second patch at this place: {taken[place]} is kept"
        if reason:
            refused.append((source, reason))
        else:
            rows.append((path.stem, place[0], source, LABELS[label], LABELS[label], *place[1:]))
    columns = ["sample_id", "patient_id", "source", "label", "group", "x", "y"]
    text = dict.fromkeys(columns[:5], str) | {"x": int, "y": int}
    images = pd.DataFrame(rows, columns=columns).astype(text)
    return images, pd.concat([rejected, list_rejected(refused)], ignore_index=True)


def _read_place(match: re.Match[str]) -> tuple[str, int, int]:
    return str(int(match["patient"])), int(match["x"]), int(match["y"])


def _find_contradiction(path: PurePosixPath, patient: str, label: str) -> str:
    """Return how a folder contradicts the file's name, or an empty text."""
    above = path.parts[-3:-1]
    if above and above[-1] in LABELS and above[-1] != label:
        return f"its name says class {label}, its folder {above[-1]}"
    if len(above) == 2 and above[0].isdigit() and above[1] in LABELS and str(int(above[0])) != patient:
        return f"its name says patient {patient}, its folder {above[0]}"
    return ""


IMAGE_SET = ImageSet(
    name="idc",
    title="IDC patches",
    index=index_idc,
    address=ADDRESS,
    citation=CITATION,
    licence=LICENCE,
    design=DESIGN,
    reference_standard=REFERENCE_STANDARD,
    limits=LIMITS,
    write_phantom=generator.write_phantom,
    generator=generator.GENERATOR,
)
