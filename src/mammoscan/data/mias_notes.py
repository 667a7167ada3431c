"""Parser of mini-MIAS' Info.txt: every row is parsed or rejected with a reason."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from mammoscan.errors import MammoscanError

SIDE = 1024
TISSUES = ("F", "G", "D")
ABNORMALITIES = ("CALC", "CIRC", "SPIC", "MISC", "ARCH", "ASYM")
GROUPS = (*ABNORMALITIES, "NORM")
SEVERITIES = {"B": "benign", "M": "malignant"}
NOTE_3 = "widespread calcifications, no place given (NOTE 3)"
NO_PLACE = "no coordinates given"

NOTE_TYPES = {
    "line": "int64",
    "text": "str",
    "scan": "str",
    "source": "str",
    "patient_id": "str",
    "tissue": "str",
    "group": "str",
    "severity": "str",
    "x": "float64",
    "y": "float64",
    "radius": "float64",
    "note3": "bool",
    "first_of_scan": "bool",
    "place": "str",
}
MALFORMED_TYPES = {"line": "int64", "text": "str", "reason": "str"}

_ROW = re.compile(r"\s*mdb[0-9]", re.IGNORECASE)
_SCAN = re.compile(r"mdb([0-9]{1,9})(\.pgm)?", re.IGNORECASE)
_NOTE_3 = re.compile(r"\*\s*NOTE\s*3\s*\*", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")


class _RowError(ValueError):
    """The reason why a row cannot be parsed."""


def clean_notes(text: str, scans: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the rows of Info.txt.

    Blank and ruled lines and the text above the first row are skipped. Every other line ends in exactly one of the two
    tables.

    Args:
        text: The file's text.
        scans: File names of the scans that are there, e.g. ``mdb001.pgm``.

    Returns:
        ``notes``, one row per parsed row, where ``place`` is empty or says why the region has no usable place; and
        ``malformed`` with ``line``, ``text`` and ``reason`` of all others, and with line 0 for each scan without a row.
    """
    files = {PurePosixPath(name).stem.lower(): name for name in scans}
    rows: list[dict[str, Any]] = []
    malformed: list[tuple[int, str, str]] = []
    named: set[str] = set()
    first_lines: dict[tuple[Any, ...], int] = {}
    for line, content in _find_rows(text):
        try:
            scan, row = _parse_row(content)
            named.add(scan)
            if scan not in files:
                raise _RowError(f"no scan {scan}.pgm is there")
            key = (scan, *(value if value == value else None for value in row.values()))
            if key in first_lines:
                raise _RowError(f"repeats line {first_lines[key]}")
        except _RowError as error:
            malformed.append((line, content, str(error)))
            named.update(_guess_scan(content))
            continue
        first_lines[key] = line
        rows.append({"line": line, "text": content, "scan": scan, "source": files[scan], **row})
    if not named:
        raise MammoscanError(
            "Info.txt holds no row that names a scan, expected rows like 'mdb001 G CIRC B 535 425 197'"
        )
    rows, contradictory = _split_contradictions(rows)
    malformed += contradictory
    malformed += [(0, files[scan], "no row names this scan") for scan in files if scan not in named]
    seen: set[str] = set()
    for row in rows:
        row["patient_id"] = f"p{(int(row['scan'][3:]) - 1) // 2:03d}"
        row["first_of_scan"] = row["scan"] not in seen
        seen.add(row["scan"])
    notes = pd.DataFrame(rows, columns=list(NOTE_TYPES)).astype(NOTE_TYPES)
    return notes, pd.DataFrame(sorted(malformed), columns=list(MALFORMED_TYPES)).astype(MALFORMED_TYPES)


def _find_rows(text: str) -> list[tuple[int, str]]:
    # str.splitlines would also break at characters that a Latin-1 text may hold within a line.
    lines = list(enumerate(re.split(r"\r\n|\r|\n", text), start=1))
    starts = (position for position, (_, content) in enumerate(lines) if _ROW.match(content))
    begin = next(starts, len(lines))
    return [(line, content) for line, content in lines[begin:] if re.search(r"[^\W_]", content)]


def _guess_scan(content: str) -> set[str]:
    match = _SCAN.match(content.strip())
    return {f"mdb{int(match[1]):03d}"} if match else set()


def _parse_row(content: str) -> tuple[str, dict[str, Any]]:
    text, n_marks = _NOTE_3.subn(" ", content)
    words = text.split()
    match = _SCAN.fullmatch(words[0]) if words else None
    if match is None or int(match[1]) == 0:
        raise _RowError(f"starts with {words[0] if words else content!r}, expected a scan such as mdb001")
    if len(words) < 3:
        raise _RowError(f"only {len(words)} of its columns, expected at least scan, tissue and class")
    tissue, group = (word.upper() for word in words[1:3])
    if tissue not in TISSUES:
        raise _RowError(f"tissue is {words[1]!r}, expected one of {' '.join(TISSUES)}")
    if group not in GROUPS:
        raise _RowError(f"class is {words[2]!r}, expected one of {' '.join(GROUPS)}")
    rest = words[3:]
    row: dict[str, Any] = {"tissue": tissue, "group": group, "severity": "normal"}
    if group == "NORM":
        if rest or n_marks:
            raise _RowError(
                f"a normal scan with {' '.join(rest) or 'NOTE 3'!r} after its class, expected nothing there"
            )
        return f"mdb{int(match[1]):03d}", row | _read_place([], noted=False) | {"place": ""}
    if not rest:
        raise _RowError("an abnormality without severity, expected B or M after its class")
    if rest[0].upper() not in SEVERITIES:
        raise _RowError(f"severity is {rest[0]!r}, expected B or M")
    row["severity"] = SEVERITIES[rest[0].upper()]
    return f"mdb{int(match[1]):03d}", row | _read_place(rest[1:], noted=n_marks > 0)


def _read_place(words: list[str], noted: bool) -> dict[str, Any]:
    if noted and words:
        raise _RowError(f"both NOTE 3 and {' '.join(words)!r}, expected coordinates or NOTE 3")
    if len(words) not in (0, 3):
        raise _RowError(f"{len(words)} columns after the severity, expected x, y and radius, or none of them")
    for name, word in zip(("x", "y", "radius"), words, strict=False):
        if not _NUMBER.fullmatch(word):
            raise _RowError(f"{name} is {word!r}, expected a number")
    x, y, radius = (float(word) for word in words) if words else (float("nan"),) * 3
    if not words:
        place = NOTE_3 if noted else NO_PLACE
    elif not (0 <= x < SIDE and 0 <= y < SIDE):
        place = f"coordinates outside the scan (x={x:g}, y={y:g}, expected 0 to {SIDE - 1})"
    elif not 0 < radius <= SIDE / 2:
        place = f"radius {radius:g}, expected more than 0 and at most {SIDE // 2}"
    else:
        place = ""
    return {"x": x, "y": y, "radius": radius, "note3": noted, "place": place}


def _split_contradictions(
    rows: list[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[tuple[int, str, str]]]:
    """Split off rows of scans noted as both normal and abnormal: which is true is unknown."""
    kinds: dict[str, set[bool]] = {}
    for row in rows:
        kinds.setdefault(row["scan"], set()).add(row["group"] == "NORM")
    reason = "its scan is noted as normal and as abnormal, expected one of them"
    contradictory = [(row["line"], row["text"], reason) for row in rows if len(kinds[row["scan"]]) > 1]
    return [row for row in rows if len(kinds[row["scan"]]) == 1], contradictory
