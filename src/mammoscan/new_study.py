"""A study of one's own images: look at them, say what was found, and write its block of parameters.

``mammoscan new`` calls ``examine_images``, ``write_page`` and ``write_block`` one after the other.
"""

from __future__ import annotations

import base64
import io
import math
import os
import re
import shlex
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from statistics import NormalDist
from typing import Any

import click
import numpy as np
import pandas as pd
import yaml
from PIL import Image
from pydantic import ValidationError

from mammoscan.atomic_write import write_whole
from mammoscan.data.image_folder import find_data_folder, list_files, list_images
from mammoscan.data.image_selection import choose_targets
from mammoscan.data.locate import is_address, locate_source
from mammoscan.data.own_images import (
    PARTS,
    OwnIndex,
    find_tables,
    index_own_images,
    make_path_reader,
    read_tag,
)
from mammoscan.data.tables import read_table
from mammoscan.errors import MammoscanError
from mammoscan.evaluation.difference_hash import difference_hash, find_near
from mammoscan.imaging.contact_sheet import tile_images
from mammoscan.imaging.image_reader import TWELVE_BITS, UnreadableImageError, decode_image
from mammoscan.own_studies import KEY, NAME, read_defaults
from mammoscan.params import PackParams, TargetQuestion
from mammoscan.params.images import PATIENT_WAYS, ImagesParams, split_way
from mammoscan.params.targets import MIN_LEVELS
from mammoscan.reporting.render import render_page
from mammoscan.studies import STUDIES, Kind

# So many images are decoded to be looked at; of more, an evenly spread sample.
MAX_DECODED = 2000
THUMBNAIL = 72
SHEET_IMAGES = 24
MAX_LABELS = 20
# Of more than so many labels, all but this share being numbers, the question is about a number.
MIN_NUMBERS = 0.95
# Names like cat_001.png.
LABEL_PREFIX = r"path:(?:^|/)([A-Za-z]+)[^/]*$"
# What columns of tables are often called, in small letters and without what is between words.
IMAGE_COLUMNS = (
    *("path", "filename", "file", "image", "imagepath", "filepath", "imagefile", "imagename", "imageindex"),
    *("imageid", "img", "imgpath", "imgname", "dicom", "dicompath"),
)
LABEL_COLUMNS = (
    *("label", "labels", "class", "target", "finding", "diagnosis", "findinglabels", "classname", "category"),
    *("dx", "y"),
)
PATIENT_COLUMNS = (
    *("patientid", "patient", "subjectid", "subject", "caseid", "personid", "patientnumber", "patientname"),
    *("pid", "person"),
)
WORKERS = 4
# Patients of the rarest label that a fold's test, training and validation need.
MIN_PATIENTS = 2
# What the label that matters is often called.
POSITIVE = re.compile(
    r"^(malign|positiv|opacity|pneumon|tumou?r|cancer|abnormal|disease|sick|ill$|yes$|true$|1$|idc|carcinoma|lesion)",
    re.IGNORECASE,
)
# How file names and folders name a patient, tried in this order.
PATIENT_PATTERNS = (
    r"(?i)((?:person|patient|pat|subject|subj|case|sub)[-_ ]?\d+)",
    r"(?i)(?:^|/)(p[-_]?\d+)",
    r"(?:^|/)([^/_]+)_[^/]*$",
    r"(?:^|/)([^/-]+)-[^/]*$",
    r"(?:^|/)([A-Za-z]*\d+)[^/\d][^/]*$",
)


@dataclass(frozen=True)
class Wishes:
    """What the options of ``mammoscan new`` say; None is for the data to tell."""

    name: str
    images: str | None = None
    table: str | None = None
    image_column: str | None = None
    label_from: str | None = None
    patient_from: str | None = None
    labels: str | None = None
    positive: str | None = None
    recipe: str = "laptop"
    folds: int | None = None
    question: str | None = None
    levels: str | None = None
    measured_in: str = ""


@dataclass(frozen=True)
class Candidate:
    """A way to tell patients apart, tried on the data.

    Attributes:
        way: As ``images.patient_from`` takes it.
        matched: Images for which it gives a patient.
        patients: How many patients.
        examples: Some of them.
    """

    way: str
    matched: int
    patients: int
    examples: tuple[str, ...]


@dataclass
class Findings:
    """What was found, and what the study will be.

    Attributes:
        params: Where images, labels and patients come from.
        index: Images and rejected files.
        labels: The study's labels in the order of the network's outputs, with what the data call each.
        positive: The label whose recall matters.
        candidates: Ways to tell patients apart.
        formats: Files by suffix.
        sizes: Width and height of the decoded images.
        unreadable: Decoded images that cannot be used, with the reason.
        decoded: How many were decoded.
        near: How many decoded images are nearly copies of another patient's.
        folds: Number of folds.
        minutes: How long the study runs on this machine, from and to.
        widths: Expected width of the interval of an AUC.
        notes: What was decided or should be known, in sentences.
        pack: What of the packing follows from the images.
        kind: What the question is about; of numbers, ``labels`` are their thirds.
    """

    params: ImagesParams
    home: Path
    index: OwnIndex
    labels: dict[str, list[str]]
    positive: str
    candidates: list[Candidate] = field(default_factory=list)
    formats: dict[str, int] = field(default_factory=dict)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    decoded: int = 0
    near: int = 0
    folds: int = 5
    minutes: tuple[float, float] = (0.0, 0.0)
    widths: dict[float, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    pack: dict[str, Any] = field(default_factory=dict)
    kind: Kind = "classes"
    sheets: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def chosen(self) -> pd.DataFrame:
        """The images that have one of the study's labels, with ``label`` as the study calls it."""
        named = {spelling: label for label, spellings in self.labels.items() for spelling in spellings}
        images = self.index.images
        return images[images["label"].isin(list(named))].assign(label=images["label"].map(named))

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """Images and patients of each label."""
        grouped = self.chosen.groupby("label")["patient_id"].agg(["size", "nunique"])
        return {
            label: (int(grouped.loc[label, "size"]), int(grouped.loc[label, "nunique"]))  # type: ignore[arg-type]
            for label in self.labels
        }


class AmbiguousError(MammoscanError):
    """The data do not tell whom the images are of; ``candidates`` could."""

    def __init__(self, message: str, candidates: list[Candidate]) -> None:
        """Take the message and the ways that were tried."""
        super().__init__(message)
        self.candidates = candidates


def check_name(name: str) -> None:
    """Raise if a study cannot have this name."""
    if not NAME.fullmatch(name):
        raise MammoscanError(
            f"{name!r} cannot be a study's name, expected small letters, digits and _, e.g. lungs"
        )
    taken = STUDIES.get(name)
    if taken is not None and not taken.own_images:
        raise MammoscanError(f"{name}: a study of this name comes with Mammoscan; choose another name")


def examine_images(wishes: Wishes, folder: Path) -> Findings:
    """Look at the images, and settle what a study of them needs.

    Args:
        wishes: What the options say.
        folder: Where an archive or a download is unpacked.

    Raises:
        AmbiguousError: If nobody said whom the images are of.
    """
    check_name(wishes.name)
    params, home, notes = settle_images(wishes, folder)
    files, _ = list_images(home)
    candidates: list[Candidate] = []
    if wishes.patient_from is None and params.patient_from == "unknown":
        columns = index_own_images(wishes.name, home, params).images
        candidates = find_patients(columns)
        raise AmbiguousError(_ask_for_patients(candidates, len(columns)), candidates)
    index = index_own_images(wishes.name, home, params)
    kind = choose_kind(index.images, wishes, notes)
    if kind == "numbers":
        index = _name_numbers(wishes.name, index)
    labels, positive = (
        choose_labels(index.images, wishes, notes)
        if kind == "classes"
        else ({name: [name] for name in _order_levels(index.images, wishes, kind)}, "")
    )
    found = Findings(params, home, index, labels, positive, candidates, notes=notes, kind=kind)
    found.formats = dict(
        Counter(PurePosixPath(name).suffix.lower() or "(none)" for name in files).most_common()
    )
    _note_index(found)
    found.folds = wishes.folds or choose_folds(
        {label: patients for label, (_, patients) in found.counts.items()}
    )
    _look_at_pixels(found, wishes.recipe)
    if kind == "classes":
        found.widths = {auc: expect_width(auc, found.counts, positive) for auc in (0.7, 0.8, 0.9)}
    found.minutes = estimate_minutes(found, wishes.recipe)
    return found


def settle_images(wishes: Wishes, folder: Path) -> tuple[ImagesParams, Path, list[str]]:
    """Return where images, labels and patients come from, the folder, and what was decided on the way."""
    notes: list[str] = []
    table = wishes.table
    source = wishes.images
    if source is None and table is None:
        raise MammoscanError(
            "found neither --images nor --table, expected a folder of images or a table that names them"
        )
    if source is None:
        file = Path(table or "").expanduser().resolve()
        if not file.is_file():
            raise MammoscanError(
                f"--table {table}: nothing there; expected a CSV, TSV, Parquet, JSON Lines or Excel table"
            )
        source = str(_find_root(file, wishes.image_column))
    if not is_address(source):
        source = str(Path(source).expanduser().resolve())
    home = find_data_folder(locate_source("--images", source, folder, 8.0))
    image_column = wishes.image_column
    if table is None:
        table, column = _find_metadata(home)
        if table is not None:
            image_column = image_column or column
            notes.append(f"The folder has tables {table} with a column {column}: labels are read there.")
    else:
        given = Path(table).expanduser().resolve()
        table = str(given.relative_to(home)) if given.is_relative_to(home) else str(given)
    label_from, patient_from = wishes.label_from, wishes.patient_from
    if table is not None:
        columns = list(read_table(find_tables(wishes.name, home, table)[0], ()).columns)
        image_column = image_column or _pick_column(columns, IMAGE_COLUMNS, "image")
        if label_from is None:
            label_from = f"column:{_pick_column(columns, LABEL_COLUMNS, 'label')}"
        if patient_from is None:
            match = [name for name in columns if _simplify(name) in PATIENT_COLUMNS]
            if match:
                patient_from = f"column:{match[0]}"
                notes.append(f"Patients are taken from the column {match[0]}.")
    files, _ = list_images(home)
    if not files:
        hint = "; --images names the folder of a table's images" if wishes.images is None else ""
        raise MammoscanError(
            f"{home} holds no image file; expected PNG, JPEG, TIFF, DICOM, … in it or below{hint}"
        )
    if label_from is None:
        label_from, why = find_labels(files)
        notes.append(why)
    if patient_from is None and files and _has_patient_tag(home, files):
        patient_from = "tag:PatientID"
        notes.append("Patients are taken from the DICOM tag PatientID.")
    try:
        params = ImagesParams(
            source=source,
            table=table,
            image_column=image_column or "path",
            label_from=label_from,
            patient_from=patient_from or "unknown",
        )
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise MammoscanError(f"{wishes.name}: {reason}") from error
    return params, home, notes


def find_labels(files: Sequence[str]) -> tuple[str, str]:
    """Return which folder names the label: the nearest one that has some, but not many, names."""
    tried = []
    for above in (1, 2, 3):
        way = "folder" if above == 1 else f"folder:{above}"
        names = Counter(filter(None, map(make_path_reader(way), files)))
        kinds = {name for name in names if name.lower() not in PARTS}
        covered = sum(names[name] for name in kinds)
        if 2 <= len(kinds) <= MAX_LABELS and covered >= 0.9 * len(files) and len(files) >= 2 * len(kinds):
            shown = ", ".join(f"{name} ({names[name]:,})" for name in sorted(kinds))
            return way, f"Labels are the names of the images' folders: {shown}."
        tried.append(f"{way}: {len(kinds)} names")
    prefixes = Counter(filter(None, map(make_path_reader(LABEL_PREFIX), files)))
    hint = ""
    if 2 <= len(prefixes) <= MAX_LABELS and sum(prefixes.values()) >= 0.9 * len(files):
        shown = ", ".join(f"{name} ({count:,})" for name, count in sorted(prefixes.items()))
        hint = f"; --label-from '{LABEL_PREFIX}' finds {shown} in the files' names"
    raise MammoscanError(
        f"no folder names the labels ({'; '.join(tried)} of {len(files)} images); expected 2 to {MAX_LABELS} labels: "
        f"pass --table, or --label-from folder:2, path:REGEX or tag:NAME{hint}"
    )


def find_patients(images: pd.DataFrame) -> list[Candidate]:
    """Try the usual ways to tell patients apart, and return those that fit, the best first."""
    found: list[Candidate] = []
    labels = images["label"].to_numpy()
    ways = ["folder", "folder:2", *(f"path:{pattern}" for pattern in PATIENT_PATTERNS)]
    for way in ways:
        values = pd.Series([make_path_reader(way)(source) for source in images["source"]], dtype=object)
        matched = values.notna()
        patients = values[matched].nunique()
        # One patient for each label is the label again; one for each image says nothing.
        if (
            matched.mean() < 0.5
            or patients < 4
            or patients >= matched.sum()
            or patients <= len(set(labels)) + 1
        ):
            continue
        examples = tuple(dict.fromkeys(map(str, values[matched])))[:3]
        candidate = Candidate(way, int(matched.sum()), int(patients), examples)
        if all((other.matched, other.patients) != (candidate.matched, candidate.patients) for other in found):
            found.append(candidate)
    return sorted(found, key=lambda candidate: -candidate.matched)


def choose_kind(images: pd.DataFrame, wishes: Wishes, notes: list[str]) -> Kind:
    """Return what the question is about: what ``--question`` says, or numbers where there are too many for labels."""
    if wishes.question is not None:
        return {"labels": "classes", "number": "numbers", "levels": "levels"}[wishes.question]  # type: ignore[return-value]
    if wishes.levels:
        return "levels"
    values = images["label"]
    if wishes.labels or values.nunique() <= MAX_LABELS:
        return "classes"
    if pd.to_numeric(values, errors="coerce").notna().mean() < MIN_NUMBERS:
        return "classes"
    notes.append(
        f"The labels are {values.nunique():,} different numbers: the question is about a number; --question labels "
        "asks about labels."
    )
    return "numbers"


def _name_numbers(study: str, index: OwnIndex) -> OwnIndex:
    """Give each image its third of the numbers as its label, to be counted and shown by."""
    about = TargetQuestion(kind="numbers", text=study)
    images, others = choose_targets(index.images, index.rejected, about, PackParams(size=(8, 8), channels=1))
    return OwnIndex(images, others, index.copies)


def _order_levels(images: pd.DataFrame, wishes: Wishes, kind: Kind) -> list[str]:
    """Return the levels, the lowest first, or the thirds of numbers."""
    found = [str(value) for value in images["label"].unique()]
    if kind == "numbers":
        target = images.groupby("label")["target"].min().sort_values()
        return [str(name) for name in target.index]
    if wishes.levels:
        levels = [level.strip() for level in re.split("[<,]", wishes.levels) if level.strip()]
    else:
        numbers = pd.to_numeric(pd.Series(found), errors="coerce")
        if numbers.isna().any():
            raise MammoscanError(
                f"the order of {', '.join(sorted(found)[:10])} is not clear: pass --levels, the lowest first, e.g. "
                "--levels 'low<middle<high'"
            )
        levels = [found[place] for place in numbers.argsort()]
    missing = [level for level in levels if level not in found]
    if missing or not MIN_LEVELS <= len(levels) <= MAX_LABELS:
        raise MammoscanError(
            f"--levels: {f'no image has {missing[0]}' if missing else f'found {len(levels)}'}, expected "
            f"{MIN_LEVELS} to {MAX_LABELS} of: {', '.join(sorted(found)[:MAX_LABELS])}"
        )
    return levels


def choose_labels(images: pd.DataFrame, wishes: Wishes, notes: list[str]) -> tuple[dict[str, list[str]], str]:
    """Return the study's labels with their spellings, the positive one last, and the positive one."""
    counts = images["label"].value_counts()
    if wishes.labels:
        labels = _read_label_map(wishes.labels)
        for label, spellings in labels.items():
            if not any(spelling in counts.index for spelling in spellings):
                raise MammoscanError(
                    f"--labels: no image is labelled {' or '.join(spellings)} for {label}; found: "
                    f"{_list_counts(counts)}"
                )
    else:
        labels = _join_spellings(counts)
        joined = [spellings for spellings in labels.values() if len(spellings) > 1]
        if joined:
            shown = "; ".join(" and ".join(spellings) for spellings in joined)
            notes.append(f"Taken to be one label, since they differ in capitals and spaces alone: {shown}.")
    if not 2 <= len(labels) <= MAX_LABELS:
        raise MammoscanError(
            f"{len(labels)} labels found ({_list_counts(counts)}), expected 2 to {MAX_LABELS}: pass --labels, e.g. "
            "--labels 'normal=0;ill=1,2'"
        )
    positive = wishes.positive
    if positive is None:
        likely = [label for label in labels if POSITIVE.search(label)]
        sizes = {label: int(counts.reindex(spellings).fillna(0).sum()) for label, spellings in labels.items()}
        positive = likely[0] if len(likely) == 1 else min(labels, key=lambda label: (sizes[label], label))
        notes.append(
            f"The label whose recall matters is taken to be {positive}; --positive names another one."
        )
    if positive not in labels:
        raise MammoscanError(f"--positive is {positive!r}, expected one of: {', '.join(labels)}")
    ordered = {label: labels[label] for label in labels if label != positive} | {positive: labels[positive]}
    return ordered, positive


def _join_spellings(counts: pd.Series) -> dict[str, list[str]]:
    """Return the labels with their spellings, the most frequent of which names each."""
    found: dict[str, list[str]] = {}
    for name in map(str, counts.index):  # the most frequent first
        found.setdefault(re.sub(r"[\s_-]+", " ", name.strip()).casefold(), []).append(name)
    return {spellings[0]: spellings for spellings in sorted(found.values(), key=lambda each: each[0])}


def choose_folds(patients: dict[str, int]) -> int:
    """Return the number of folds that the patients of the rarest label allow, 2 to 10.

    As many folds as patients where there are fewer than five; ten where there are 10 to 20, so that the networks learn
    from nine tenths of the few; five otherwise.
    """
    rarest = min(patients, key=lambda label: patients[label])
    count = patients[rarest]
    if count < MIN_PATIENTS:
        raise MammoscanError(
            f"label {rarest!r} has {count} patient(s), expected at least {MIN_PATIENTS}: use more data, or leave the "
            "label out with --labels"
        )
    return count if count < 5 else 10 if 10 <= count <= 20 else 5


def expect_width(auc: float, counts: dict[str, tuple[int, int]], positive: str) -> float:
    """Return the width of a 95 % interval to be expected of an AUC, each patient counting once (Hanley and McNeil)."""
    ill = counts[positive][1]
    well = sum(patients for label, (_, patients) in counts.items() if label != positive)
    first, second = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (auc * (1 - auc) + (ill - 1) * (first - auc**2) + (well - 1) * (second - auc**2)) / max(
        ill * well, 1
    )
    return min(1.0, 2 * NormalDist().inv_cdf(0.975) * math.sqrt(variance))


def estimate_minutes(found: Findings, recipe: str) -> tuple[float, float]:
    """Return roughly how many minutes the study takes on this machine: from half its epochs to all of them."""
    defaults = read_defaults()
    pack, training = defaults["packs"][recipe], defaults["recipes"][recipe]
    height, width = pack["size"]
    count = len(found.chosen)
    # Multiplications and additions of one image through the network, forward.
    if recipe == "laptop":
        channels = found.pack.get("channels", pack["channels"])
        areas = (height * width, height * width, height * width / 4)
        work = 2 * sum(a * 9 * i * o for a, i, o in zip(areas, (channels, 32, 64), (32, 64, 64), strict=True))
        epochs, passes = training["epochs"], 3 * (found.folds + 1)
    else:
        # The frozen backbone sees every image once; heads on its features take next to nothing.
        work, epochs, passes = 8.6e9, 1, 1
    speed = _measure_speed()
    seconds = [30 + count * share * epochs * passes * work / speed for share in (0.5, 1.0)]
    return max(1.0, seconds[0] / 60), max(1.0, seconds[1] / 60)


def write_block(found: Findings, wishes: Wishes, command: str) -> str:
    """Return the study's file of parameters."""
    params = found.params
    images = {"source": params.source}
    if params.table is not None:
        images |= {"table": params.table, "image_column": params.image_column}
    images |= {"label_from": params.label_from, "patient_from": params.patient_from}
    plain = all(spellings == [label] for label, spellings in found.labels.items())
    labels: Any = list(found.labels) if plain else found.labels
    block: dict[str, Any] = {KEY: images, "question": {"labels": labels, "positive": found.positive}}
    if found.kind != "classes":
        way, argument = split_way(params.label_from)
        block["question"] = {
            "kind": found.kind,
            "quantity": argument if way in ("column", "tag") else "value",
        }
        if wishes.measured_in:
            block["question"]["measured_in"] = wishes.measured_in
        if found.kind == "levels":
            block["question"]["levels"] = list(found.labels)
    block["split"] = {"folds": found.folds}
    if found.folds < 3:
        # With two patients of a label, none is left to choose the epoch.
        block["split"]["validation_fraction"] = 0.0
        block["training"] = {"patience": None}
    if wishes.recipe != "laptop":
        block["recipe"] = wishes.recipe
    if found.pack:
        block["pack"] = found.pack
    people = (
        f"{len(set(found.chosen['patient_id'])):,} patients" if params.patients_known else "patients unknown"
    )
    head = (
        f"# {command}\n"
        f"# {len(found.chosen):,} images, {people}. Run it: kedro run --pipeline {wishes.name}\n"
        "# Delete this file to remove the study. What can stand here: docs/how-to/your-own-images.md\n"
    )
    return head + _write_yaml({wishes.name: block})


def write_page(found: Findings, name: str, block: str, file: Path) -> None:
    """Write the page with the contact sheet and the tables."""
    chosen = found.chosen
    per_patient = chosen.groupby("patient_id").size()
    page = render_page(
        "new_study.html.j2",
        study=name,
        found=found,
        block=block,
        total=len(found.index.images),
        used=len(chosen),
        patients=int(chosen["patient_id"].nunique()),
        per_patient=(int(per_patient.min()), float(per_patient.median()), int(per_patient.max())),
        rejected=found.index.rejected["reason"].map(_shorten_reason).value_counts().to_dict(),
        examples=found.index.rejected.head(10).to_dict("records"),
        sizes=_describe_sizes(found.sizes),
        sheets={label: _encode_png(sheet) for label, sheet in found.sheets.items()},
        parts=chosen["published"].value_counts().to_dict(),
    )
    with write_whole(file) as part:
        part.write_text(page, encoding="utf-8")


def describe_findings(found: Findings) -> list[str]:
    """Return what was found, one line each, for the console."""
    chosen = found.chosen
    lines = [
        f"{len(chosen):,} images in {found.home}: "
        + ", ".join(f"{count:,} {suffix}" for suffix, count in list(found.formats.items())[:5]),
    ]
    if found.kind == "numbers":
        target = chosen["target"]
        lines.append(
            f"numbers from {target.min():g} to {target.max():g}, mean {target.mean():g}, standard deviation "
            f"{target.std():.3g}"
        )
    for label, (images, patients) in found.counts.items():
        people = f", {patients:,} patients" if found.params.patients_known else ""
        lines.append(f"  {label}: {images:,} images{people}")
    if found.params.patients_known:
        lines.append(f"{chosen['patient_id'].nunique():,} patients by {found.params.patient_from}")
    else:
        lines.append(
            "patients unknown: images will be kept apart, near copies together, and every report says so"
        )
    if len(found.index.rejected):
        reasons = found.index.rejected["reason"].map(_shorten_reason).value_counts()
        lines.append(
            f"{len(found.index.rejected):,} files and rows left out: "
            + "; ".join(f"{count:,} {reason}" for reason, count in reasons.head(4).items())
        )
    lines += found.notes
    if found.widths:
        low, high = found.widths[0.7], found.widths[0.9]
        lines.append(f"expected 95 % interval of the AUC: {high:.2f} (at 0.9) to {low:.2f} (at 0.7) wide")
    lines.append(f"{found.folds} folds; about {_say_minutes(found.minutes)} on this machine")
    return lines


def _say_minutes(minutes: tuple[float, float]) -> str:
    low, high = (max(1, round(value)) for value in minutes)
    return f"{low} min" if low == high else f"{low} to {high} min"


def _ask_for_patients(candidates: list[Candidate], images: int) -> str:
    shown = "; ".join(
        f"--patients '{candidate.way}' finds {candidate.patients:,} patients in {candidate.matched:,} of {images:,} "
        f"images ({', '.join(candidate.examples)}, …)"
        for candidate in candidates[:3]
    )
    return (
        f"whom the images are of is not known: {shown or 'no pattern of the paths names patients'}; expected one of "
        "these, column:NAME, tag:NAME, path:REGEX, or --patients unknown, which every report will say"
    )


def _note_index(found: Findings) -> None:
    index = found.index
    if index.copies:
        doubled = index.rejected.loc[index.rejected["reason"].str.startswith("an exact copy"), "source"]
        tops = Counter(PurePosixPath(source).parts[0] for source in doubled if "/" in source)
        top, most = tops.most_common(1)[0] if tops else ("", 0)
        where = f", {most:,} of them in {top}/" if most > 0.5 * index.copies else ""
        found.notes.append(f"{index.copies:,} files are exact copies of others{where}: one of each is kept.")
    parts = set(index.images["published"]) - {"none"}
    if parts:
        found.notes.append(
            f"The folders {', '.join(sorted(parts))} are a published split; the study divides the patients anew, and "
            "the column published keeps it."
        )
    if found.kind == "numbers":
        return
    both = index.images.groupby("patient_id")["label"].nunique()
    if found.params.patients_known and (both > 1).any():
        found.notes.append(f"{int((both > 1).sum()):,} patients have images of several labels.")


def _look_at_pixels(found: Findings, recipe: str) -> None:
    """Decode images, all or a sample: sizes, colour, depth, what cannot be read, near copies, contact sheets."""
    chosen = found.chosen.reset_index(drop=True)
    places = np.unique(np.linspace(0, len(chosen) - 1, min(MAX_DECODED, len(chosen))).astype(int))
    some = chosen.iloc[places].reset_index(drop=True)
    with ThreadPoolExecutor(WORKERS) as pool:
        looks = list(pool.map(lambda source: _look(found.home / source), some["source"]))
    found.decoded = len(some)
    found.unreadable = [
        (source, look) for source, look in zip(some["source"], looks, strict=True) if isinstance(look, str)
    ]
    usable = [place for place, look in enumerate(looks) if not isinstance(look, str)]
    if not usable:
        source, reason = found.unreadable[0]
        raise MammoscanError(f"none of {len(some)} images can be read; {source}: {reason}")
    kept = [looks[place] for place in usable]
    found.sizes = [(look.width, look.height) for look in kept]  # type: ignore[union-attr]
    pixels = np.stack([look.pixels for look in kept])  # type: ignore[union-attr]
    coloured = (pixels != pixels[..., :1]).any(axis=(1, 2, 3)).mean()
    levels = [look.levels for look in kept if look.levels]  # type: ignore[union-attr]
    if coloured > 0.05 and recipe == "laptop":
        found.pack["channels"] = 3
    if levels and max(levels) <= TWELVE_BITS + 1:
        found.pack["levels"] = max(levels)
        found.notes.append(f"16-bit files use {max(levels):,} grey levels: pack.levels says so.")
    if found.unreadable:
        found.notes.append(
            f"{len(found.unreadable):,} of {len(some):,} images that were decoded cannot be used."
        )
    rows = some.iloc[usable].reset_index(drop=True)
    _count_near(found, rows, pixels)
    for label in found.labels:
        members = np.flatnonzero(rows["label"] == label)
        if len(members):
            shown = members[np.linspace(0, len(members) - 1, min(SHEET_IMAGES, len(members))).astype(int)]
            found.sheets[label] = tile_images(list(pixels[np.unique(shown)]), 12)


@dataclass(frozen=True)
class _Look:
    pixels: np.ndarray
    width: int
    height: int
    levels: int


def _look(file: Path) -> _Look | str:
    """Return a small copy of an image with its size, or the reason why it cannot be used."""
    try:
        content = file.read_bytes()
        levels = _find_levels(content)
        image = decode_image(content, (THUMBNAIL, THUMBNAIL), 3, levels or None)
    except UnreadableImageError as error:
        return str(error)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return _Look(image.pixels, image.width, image.height, levels)


def _find_levels(content: bytes) -> int:
    """Return the grey levels of a 16-bit file that uses 10, 12 or 14 bits at most; 0 of any other."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            if not image.mode.startswith("I"):
                return 0
            highest = int(np.asarray(image).max())
    except Exception:
        return 0  # the reader will say what is wrong with it
    return 0 if highest > TWELVE_BITS else 1024 if highest < 1024 else 4096


def _count_near(found: Findings, rows: pd.DataFrame, pixels: np.ndarray) -> None:
    """Count decoded images that look like an image of another patient."""
    hashes = difference_hash(pixels)
    patients = pd.factorize(rows["patient_id"])[0]
    near = 0
    # Of two halves of the patients, drawn three times: enough to see whether there are any.
    rng = np.random.default_rng(0)
    for _ in range(3):
        side = rng.random(patients.max() + 1)[patients] < 0.5
        if side.any() and not side.all():
            near = max(near, int(find_near(hashes[side], hashes[~side]).sum()))
    found.near = near
    if near:
        found.notes.append(
            f"At least {near:,} of {len(rows):,} images look nearly like one of another "
            f"{'patient' if found.params.patients_known else 'file'}: the report's leak audit will count them."
        )


def _measure_speed() -> float:
    """Return the operations per second that a convolution gets on this machine, roughly."""
    side = 768
    a = np.random.default_rng(0).random((side, side), dtype=np.float32)
    best = 0.0
    for _ in range(3):
        start = time.perf_counter()
        a @ a
        best = max(best, 2 * side**3 / (time.perf_counter() - start))
    return 0.8 * best


def _find_root(file: Path, image_column: str | None) -> Path:
    """Return the folder that a table's paths count from: its own, one above it, or that of its absolute paths."""
    rows = read_table(file, [image_column] if image_column else [])
    column = image_column or _pick_column(list(rows.columns), IMAGE_COLUMNS, "image")
    paths = [Path(value.replace("\\", "/")) for value in rows[column][:MAX_DECODED] if value]
    for above in (file.parent, *file.parent.parents[:2]):
        places = [place for path in paths if (place := (above / path).resolve()).is_file()]
        relative = not any(path.is_absolute() for path in paths)
        if places and relative and all(place.is_relative_to(above) for place in places):
            return above
        if places:  # what leads out of the folder, by ../ or as an absolute path, has a folder of its own
            root = Path(os.path.commonpath([place.parent for place in places]))
            if root == Path(root.anchor):
                raise MammoscanError(f"{file} names images in folders far apart; --images names their folder")
            return root
    return file.parent


def _find_metadata(home: Path) -> tuple[str | None, str | None]:
    """Return the name of the tables of a Hugging Face image folder, and their column of files."""
    for name in ("metadata.csv", "metadata.jsonl", "metadata.parquet"):
        files = [each for each in list_files(home) if PurePosixPath(each).name == name]
        columns = list(read_table(home / files[0], ()).columns) if files else []
        # Without a label's column, folders are the labels and the table says other things.
        if "file_name" in columns and any(_simplify(column) in LABEL_COLUMNS for column in columns):
            return name, "file_name"
    return None, None


def _simplify(column: str) -> str:
    """Return a column's name as the lists of usual ones have it: ``Patient ID`` is ``patientid``."""
    return re.sub(r"[\W_]", "", column.lower())


def _pick_column(columns: Sequence[str], known: Sequence[str], option: str) -> str:
    for name in known:
        for column in columns:
            if _simplify(column) == name:
                return column
    raise MammoscanError(
        f"the table has columns {', '.join(map(str, columns))}; which one has the {option}s is not "
        f"clear: pass --{option}"
    )


def _has_patient_tag(home: Path, files: Sequence[str]) -> bool:
    some = [files[int(place)] for place in np.linspace(0, len(files) - 1, min(8, len(files)))]
    return all(read_tag(home / name, "PatientID") for name in some)


def _read_label_map(text: str) -> dict[str, list[str]]:
    """Read ``Normal=NORMAL,0;Opacity=PNEUMONIA``; a label without = is spelled as it is."""
    labels: dict[str, list[str]] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        label, _, spellings = part.partition("=")
        labels[label.strip()] = [word.strip() for word in spellings.split(",") if word.strip()] or [
            label.strip()
        ]
    return labels


def _list_counts(counts: pd.Series) -> str:
    shown = ", ".join(f"{name} ({count:,})" for name, count in counts.head(10).items())
    return shown + (", …" if len(counts) > 10 else "")


def _shorten_reason(reason: str) -> str:
    if reason.startswith("an exact copy of"):
        return "exact copies"
    return re.sub(r"^line \d+ of ", "row of ", reason)


def _describe_sizes(sizes: list[tuple[int, int]]) -> str:
    widths, heights = (sorted(values) for values in zip(*sizes, strict=True))
    middle = len(sizes) // 2
    if len(set(sizes)) == 1:
        return f"all {widths[0]} x {heights[0]} pixels"
    return (
        f"{len(set(sizes)):,} sizes, {widths[0]} to {widths[-1]} pixels wide and {heights[0]} to {heights[-1]} high, "
        f"in the middle {widths[middle]} x {heights[middle]}"
    )


def _encode_png(array: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _write_yaml(content: dict[str, Any]) -> str:
    """Return YAML as a person would write it: blocks of one line where they are short."""

    def write(value: Any, indent: int) -> str:
        lines = []
        for key, inner in value.items():
            flat = (
                yaml.safe_dump(
                    inner, default_flow_style=True, sort_keys=False, allow_unicode=True, width=1000
                )
                .strip()
                .removesuffix("\n...")
                .removesuffix("...")
                .strip()
            )
            if isinstance(inner, dict) and (indent == 0 or len(flat) > 70):
                lines.append(f"{'  ' * indent}{key}:\n{write(inner, indent + 1)}")
            else:
                lines.append(f"{'  ' * indent}{key}: {flat}\n")
        return "".join(lines)

    return write(content, 0)


def read_patients(words: str | None) -> str | None:
    """Return what ``--patients`` says as ``images.patient_from`` takes it; a bare text is a regular expression."""
    if not words or words == "unknown" or split_way(words)[0] in PATIENT_WAYS:
        return words
    return f"path:{words}"


def ask_for_patients(wishes: Wishes, candidates: Sequence[Candidate]) -> Wishes:
    """Ask on the terminal whom the images are of."""
    click.echo("Whom are the images of? Tried on the paths:")
    for number, candidate in enumerate(candidates, 1):
        examples = ", ".join(candidate.examples)
        click.echo(
            f"  {number}  {candidate.way}: {candidate.patients:,} patients in {candidate.matched:,} images "
            f"({examples}, …)"
        )
    click.echo("  u  unknown: images are kept apart, near copies together, and every report says so")
    answer = click.prompt("Number, u, or a regular expression", type=str).strip()
    if answer.isdigit() and 1 <= int(answer) <= len(candidates):
        return replace(wishes, patient_from=candidates[int(answer) - 1].way)
    return replace(wishes, patient_from="unknown" if answer == "u" else read_patients(answer))


def quote_command(words: Sequence[str]) -> str:
    """Return a command as it is typed."""
    return " ".join(["mammoscan", *map(shlex.quote, words)])
