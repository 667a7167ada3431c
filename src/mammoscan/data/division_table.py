"""Tables that divide images into sides: read, and brought into the layout of ``samples``."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from mammoscan.data.checksums import fingerprint_checksums, hash_tree
from mammoscan.data.image_folder import list_files
from mammoscan.data.own_images import PARTS
from mammoscan.data.phantom_folder import mark_phantom, read_stamp
from mammoscan.data.tables import FileFinder, read_table
from mammoscan.errors import MammoscanError
from mammoscan.params import AuditParams
from mammoscan.records.dataset import DatasetRecord

ROLES = {name: {"val": "validation"}.get(part, part) for name, part in PARTS.items()}
MAX_FOLDS = 20
NOT_USED = ("", "out", "none", "-")
UNLABELLED = "-"


def open_division(params: AuditParams) -> tuple[DatasetRecord, pd.DataFrame]:
    """Find the images that a table divides, and fingerprint table and images.

    Returns:
        The record; and one row per line of the table: ``sample_id`` (the path, with the line where it stands there
        again), ``source`` (relative to the record's folder; empty where there is no such file), ``patient_id``,
        ``label``, ``side`` as the table spells it, and ``role``: ``train``, ``validation``, ``test``, ``fold_<k>``
        or ``out``.

    Raises:
        MammoscanError: If a column is missing, no image is found or the sides cannot be told apart.
    """
    file, rows = read_division(params)
    paths = rows[params.image]
    home = _find_home(file, paths, params)
    files = list_files(home)
    start = file.parent.relative_to(home).as_posix() if file.is_relative_to(home) else ""
    finder = FileFinder(home, files, f"{start}/{file.name}".lstrip("/"))
    found = [finder.find(path) if path else None for path in paths]
    if not any(found):
        raise MammoscanError(
            f"{file}: none of its {len(rows):,} images is in {home}, the first is {paths.iloc[0]!r}; expected "
            "audit.images to be the folder that its paths count from"
        )
    names = name_lines(paths)
    division = pd.DataFrame(
        {
            "sample_id": names,
            "source": [source or "" for source in found],
            "patient_id": rows[params.patient] if params.patient else names,
            "label": rows[params.label] if params.label in rows.columns else UNLABELLED,
            "side": rows[params.side],
            "role": _find_roles(file, rows[params.side], params),
        }
    )
    empty = np.flatnonzero(division["patient_id"] == "")
    if len(empty):
        raise MammoscanError(
            f"{file}, line {empty[0] + 2}: column {params.patient} is empty, expected the patient of every row; "
            "audit.patient=null where patients are unknown"
        )
    sums = hash_tree(home, sorted({source for source in division["source"] if source}))
    sums[f"table {file.name}"] = hash_tree(file.parent, [file.name])[file.name]
    record = DatasetRecord(
        dataset=file.name,
        title=params.title or file.stem,
        kind="real",
        source=str(file),
        folder=str(home.resolve()),
        fingerprint=fingerprint_checksums(sums),
        images=int((division["source"] != "").sum()),
        patients=int(division["patient_id"].nunique()),
        patients_known=params.patient is not None,
    )
    # A phantom stays a phantom, whoever divided it.
    return record if read_stamp(home) is None else mark_phantom(record), division


def read_division(params: AuditParams) -> tuple[Path, pd.DataFrame]:
    """Read the table as it is."""
    if not params.table:
        raise MammoscanError(
            "audit.table: found nothing, expected a table of paths and sides; pass --params audit.table=<file>"
        )
    file = Path(params.table).expanduser()
    if not file.is_file():
        raise MammoscanError(f"audit.table is {params.table}: there is no such file, expected a table")
    rows = read_table(file, ())
    for key in ("image", "side", "patient", "label"):
        name = getattr(params, key)
        if name is None or name in rows.columns or (key, name) == ("label", "label"):
            continue
        also = "; null where patients are unknown" if key == "patient" else ""
        raise MammoscanError(
            f"{file} has no column {name!r}; found {', '.join(rows.columns)}; expected audit.{key} to be one of "
            f"them{also}"
        )
    if rows.empty:
        raise MammoscanError(f"{file} has no row, expected one per image")
    return file.resolve(), rows


def name_lines(paths: pd.Series) -> list[str]:
    """Return a name for each line: its path, with the line where the path stands there again."""
    return [
        f"{path} (line {line})" if again else path
        for line, (path, again) in enumerate(zip(paths, paths.duplicated(), strict=True), 2)
    ]


def _find_home(file: Path, paths: pd.Series, params: AuditParams) -> Path:
    if params.images is not None:
        home = Path(params.images).expanduser()
        if not home.is_dir():
            raise MammoscanError(f"audit.images is {params.images}: there is no such folder")
        return home.resolve()
    whole = [path for path in paths if path.startswith("/")]
    if whole and any(Path(path).is_file() for path in whole[:100]):
        return Path(os.path.commonpath([str(Path(path).parent) for path in whole]))
    return file.parent


def _find_roles(file: Path, sides: pd.Series, params: AuditParams) -> list[str]:
    given = sides.str.lower().str.strip()
    kinds = sorted(set(given) - set(NOT_USED))
    if set(kinds) <= set(ROLES):
        roles = given.map(ROLES)
        if not {"train", "test"} <= set(roles):
            raise MammoscanError(
                f"{file}: column {params.side} holds {', '.join(kinds) or 'nothing'}, expected train and test at least"
            )
        return roles.fillna("out").tolist()
    numbers = {kind: kind.removeprefix("fold").strip(" _-") for kind in kinds}
    if all(number.isdigit() for number in numbers.values()) and 2 <= len(kinds) <= MAX_FOLDS:
        order = sorted(kinds, key=lambda kind: int(numbers[kind]))
        return given.map({kind: f"fold_{at}" for at, kind in enumerate(order)}).fillna("out").tolist()
    raise MammoscanError(
        f"{file}: column {params.side} holds {', '.join(kinds[:10])}, expected train, val and test, or the numbers of "
        f"2 to {MAX_FOLDS} folds"
    )
