"""Images of one's own: labels and patients from folders, file names, a table or DICOM tags."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from mammoscan.data.checksums import fingerprint_checksums, hash_tree
from mammoscan.data.download import hide_secrets
from mammoscan.data.image_folder import find_data_folder, list_files, list_images, list_rejected
from mammoscan.data.locate import is_address, locate_source
from mammoscan.data.phantom_folder import mark_phantom, read_stamp
from mammoscan.data.tables import FileFinder, read_table
from mammoscan.errors import MammoscanError
from mammoscan.imaging.dicom import read_marks
from mammoscan.imaging.image_reader import SUFFIXES
from mammoscan.params.images import ImagesParams, split_way
from mammoscan.records.dataset import DatasetRecord
from mammoscan.safe_text import make_printable

# What the folders of a published split are called.
PARTS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
NO_PART = "none"
# Any other file may be DICOM, also one without a suffix.
PLAIN_SUFFIXES = {f".{suffix.rpartition('.')[2]}" for suffix in SUFFIXES} - {".dcm", ".dicom"}
EMPTY = "an empty file"
TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".parquet", ".xlsx", ".xlsm", ".jsonl", ".ndjson")
PATIENTS_UNKNOWN = (
    "Patients are unknown: images that are copies or nearly so were kept together, but other images of one patient may "
    "lie in training and in test. The numbers may be too good."
)
COLUMNS = ("sample_id", "patient_id", "source", "label", "group", "published")


@dataclass(frozen=True)
class OwnIndex:
    """What was found of the images of a study.

    Attributes:
        images: One row per image, see ``ImageSet.index``; columns of a table come after those of ``COLUMNS``.
        rejected: ``source`` and ``reason`` of every other file and row.
        copies: Number of files that are exact copies of an image that was kept.
    """

    images: pd.DataFrame
    rejected: pd.DataFrame
    copies: int


def open_own_images(study: str, params: ImagesParams, folder: Path) -> DatasetRecord:
    """Find the files of a study and fingerprint every one.

    Args:
        study: Name of the study.
        params: Where the images are.
        folder: Where downloads and unpacked archives go.
    """
    root = locate_source(f"{study}.images.source", params.source, folder, params.unpack_limit_gb)
    home = find_data_folder(root)
    indexed = index_own_images(study, home, params)
    known = () if params.patients_known else (PATIENTS_UNKNOWN,)
    limits = (*known, *count_marks(home, indexed.images["source"]))
    sums = hash_tree(home, [name for name in list_files(home) if _find_fault(home, name) in (None, EMPTY)])
    if params.table is not None and Path(params.table).expanduser().is_absolute():
        table = Path(params.table).expanduser()
        sums |= {table.name: hash_tree(table.parent, [table.name])[table.name]}
    record = DatasetRecord(
        dataset=study,
        title=study,
        kind="real",
        source=hide_secrets(params.source) if is_address(params.source) else params.source,
        folder=str(home.resolve()),
        fingerprint=fingerprint_checksums(sums),
        images=len(indexed.images),
        patients=int(indexed.images["patient_id"].nunique()),
        patients_known=params.patients_known,
        citation=params.citation,
        licence=params.licence,
        design=params.design,
        reference_standard=params.reference_standard,
        limits=limits,
    )
    # A phantom's folder stays a phantom, also where somebody makes a study of it.
    return record if (read_stamp(root) or read_stamp(home)) is None else mark_phantom(record)


def count_marks(home: Path, sources: Iterable[str]) -> tuple[str, ...]:
    """Return how many DICOM files have overlays or burnt-in marks by their headers, in sentences."""
    files = [name for name in sources if PurePosixPath(name).suffix.lower() not in PLAIN_SUFFIXES]
    found = Counter(mark for name in files for mark in read_marks(home / name))
    return tuple(
        f"Of {count:,} of {len(files):,} DICOM files: {mark}." for mark, count in sorted(found.items())
    )


def index_own_images(study: str, home: Path, params: ImagesParams) -> OwnIndex:
    """Read label and patient of every image.

    Args:
        study: Name of the study, for error messages.
        home: Folder of the images.
        params: Where labels and patients come from.

    Raises:
        MammoscanError: If there is no image, or a table or a column of it is missing.
    """
    files, rejected = list_images(home)
    files, unusable = _split_unusable(home, files)
    if params.table is None:
        rows = pd.DataFrame({"source": files}, dtype=str)
        refused: list[tuple[str, str]] = []
    else:
        rows, refused = _read_rows(study, home, files, params)
        tables = {name for name in rejected["source"] if PurePosixPath(name).suffix in TABLE_SUFFIXES}
        rejected = rejected[~rejected["source"].isin(tables)]
        listed = set(rows["source"]) | {source for source, _ in refused}
        refused += [(name, f"not in the table {params.table}") for name in files if name not in listed]
    rows["label"] = _read_values(rows, home, params.label_from)
    rows["patient_id"] = (
        _read_values(rows, home, params.patient_from) if params.patients_known else rows["source"]
    )
    for column, what, way in (
        ("label", "label", params.label_from),
        ("patient_id", "patient", params.patient_from),
    ):
        empty = rows[column].isna() | (rows[column] == "")
        refused += [(source, f"no {what}: {_say_way(way)}") for source in rows.loc[empty, "source"]]
        rows = rows[~empty]
    rows, copies = _drop_copies(rows, home)
    refused += copies
    rows = rows.assign(
        sample_id=rows["source"],
        group=rows["label"],
        published=[_find_part(source) for source in rows["source"]],
    )
    rejected = pd.concat([rejected, list_rejected([*unusable, *refused])], ignore_index=True)
    if rows.empty:
        why = f": {rejected['source'].iloc[0]}: {rejected['reason'].iloc[0]}" if len(rejected) else ""
        raise MammoscanError(
            f"{study}.images: {home} holds no image with a label{why}; expected image files with "
            f"labels from {params.label_from} and patients from {params.patient_from}"
        )
    others = [name for name in rows.columns if name not in COLUMNS]
    return OwnIndex(rows[[*COLUMNS, *others]].reset_index(drop=True), rejected, len(copies))


def find_tables(study: str, home: Path, table: str) -> list[Path]:
    """Return the table, or all tables of that bare name below a folder."""
    given = Path(table).expanduser()
    if given.is_absolute() or (home / given).is_file():
        found = [given if given.is_absolute() else home / given]
    else:
        names = [name for name in list_files(home) if PurePosixPath(name).name == table]
        found = [home / name for name in names]
    if not found or not found[0].is_file():
        raise MammoscanError(
            f"{study}.images.table is {table!r}: nothing there; expected a table in {home} or the path of one"
        )
    return found


def _read_rows(
    study: str, home: Path, files: list[str], params: ImagesParams
) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """Read the rows of a study's tables that name an image, and the reasons of the others."""
    columns = [params.image_column]
    columns += [
        split_way(way)[1] for way in (params.label_from, params.patient_from) if way.startswith("column:")
    ]
    tables = []
    refused: list[tuple[str, str]] = []
    for file in find_tables(study, home, params.table or ""):
        rows = read_table(file, columns).rename(columns=_name_column)
        start = file.parent.relative_to(home).as_posix() if file.is_relative_to(home) else ""
        finder = FileFinder(home, files, f"{start}/{file.name}".lstrip("/"))
        named = rows[_name_column(params.image_column)]
        rows["source"] = [finder.find(value) if value else None for value in named]
        for number, (source, value) in enumerate(zip(rows["source"], named, strict=True), 2):
            if pd.isna(source):
                refused.append(
                    (value or f"{file.name}:{number}", f"line {number} of {file.name}: no such file")
                )
        tables.append(rows[rows["source"].notna()])
    table = pd.concat(tables, ignore_index=True)
    deciding = [_name_column(name) for name in columns[1:]]
    if deciding:
        contradictory = table.groupby("source")[deciding].nunique().gt(1).any(axis=1)
        bad = set(contradictory.index[contradictory])
        refused += [(source, f"two rows of {params.table} contradict each other") for source in sorted(bad)]
        table = table[~table["source"].isin(bad)]
    again = table["source"].duplicated()
    repeated = table.loc[again, "source"]
    refused += [(source, f"stands twice in {params.table}; one row is kept") for source in repeated]
    return table[~again].reset_index(drop=True), refused


def _name_column(name: str) -> str:
    """Return the name under which a table's column stands among the study's own."""
    return f"table_{name}" if name in COLUMNS else name


def _read_values(rows: pd.DataFrame, home: Path, how: str) -> list[str | None]:
    way, argument = split_way(how)
    if way == "column":
        return rows[_name_column(argument)].tolist()
    if way == "tag":
        return [read_tag(home / source, argument) for source in rows["source"]]
    read = make_path_reader(how)
    return [read(source) for source in rows["source"]]


def make_path_reader(how: str) -> Callable[[str], str | None]:
    """Return a function from an image's relative path to the value that ``folder:2`` or ``path:REGEX`` names."""
    way, argument = split_way(how)
    if way == "folder":
        above = int(argument or 1)

        def read_folder(source: str) -> str | None:
            parts = PurePosixPath(source).parts
            return parts[-1 - above] if len(parts) > above else None

        return read_folder
    pattern = re.compile(argument)

    def read_match(source: str) -> str | None:
        match = pattern.search(source)
        return None if match is None else match[1 if pattern.groups else 0]

    return read_match


def read_tag(file: Path, name: str) -> str | None:
    """Return a DICOM tag's value as text, by keyword (``PatientID``) or number (``0010,0020``)."""
    import pydicom
    from pydicom.datadict import tag_for_keyword
    from pydicom.errors import InvalidDicomError

    number = re.fullmatch(r"\(?([0-9A-Fa-f]{4}),?\s*([0-9A-Fa-f]{4})\)?", name)
    tag = int(number[1] + number[2], 16) if number else tag_for_keyword(name)
    if tag is None:
        raise MammoscanError(
            f"tag:{name}: there is no such DICOM tag; expected a keyword like PatientID or 0010,0020"
        )
    try:
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=[tag])
        value = header[tag].value if tag in header else None
    except (InvalidDicomError, OSError, ValueError, TypeError, KeyError, AttributeError, NotImplementedError):
        return None
    return None if value is None else str(value).strip()


def _split_unusable(home: Path, files: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Set files apart that cannot be an image, whatever their name: with the reason."""
    reasons = {name: _find_fault(home, name) for name in files}
    usable = [name for name, reason in reasons.items() if reason is None]
    return usable, [(make_printable(name), reason) for name, reason in reasons.items() if reason is not None]


def _find_fault(home: Path, name: str) -> str | None:
    try:
        name.encode()
        with (home / name).open("rb") as stream:
            return None if stream.read(1) else EMPTY
    except UnicodeEncodeError:
        return "its name is no UTF-8: rename it"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _drop_copies(rows: pd.DataFrame, home: Path) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """Keep one of the files that are equal byte for byte and have one label; those with two labels are left.

    A doubled folder, as in Kaggle's chest_xray/chest_xray, is found by this, whatever its name.
    """
    sizes: dict[int, list[str]] = defaultdict(list)
    for source in rows["source"]:
        sizes[(home / source).stat().st_size].append(source)
    alike = [source for sources in sizes.values() if len(sources) > 1 for source in sources]
    sums = hash_tree(home, alike)
    labels = dict(zip(rows["source"], rows["label"], strict=True))
    same: dict[tuple[str, str], list[str]] = defaultdict(list)
    for source in alike:
        same[sums[source], labels[source]].append(source)
    dropped: dict[str, str] = {}
    for sources in same.values():
        first, *others = sorted(sources, key=lambda name: (len(PurePosixPath(name).parts), name))
        dropped |= dict.fromkeys(others, f"an exact copy of {first}, which is kept")
    return rows[~rows["source"].isin(dropped)], list(dropped.items())


def _find_part(source: str) -> str:
    for part in PurePosixPath(source).parts[:-1]:
        if part.lower() in PARTS:
            return PARTS[part.lower()]
    return NO_PART


def _say_way(way: str) -> str:
    kind, argument = split_way(way)
    return {
        "column": f"the column {argument} is empty",
        "tag": f"no DICOM tag {argument}",
        "path": f"its path does not match {argument}",
        "folder": "it lies in no such folder",
    }[kind]
