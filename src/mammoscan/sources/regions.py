"""Which noted regions a study asks about, and why it leaves the others."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.sources.notes import ABNORMALITIES, MALFORMED_TYPES, NO_PLACE, SIDE
from mammoscan.studies import Question

LABELS = {
    "severity": {"benign": "benign", "malignant": "malignant"},
    "abnormality": {"normal": "normal", "benign": "abnormal", "malignant": "abnormal"},
    "severity_or_normal": {"normal": "normal", "benign": "benign", "malignant": "malignant"},
}
# What the article's code takes where Info.txt gives no place.
AUTHOR_CENTRE = SIDE // 2
AUTHOR_RADIUS = 48
AUTHOR_LOWEST = 500

REGION_TYPES = {
    "region_id": "str",
    "scan": "str",
    "source": "str",
    "patient_id": "str",
    "label": "str",
    "target": "int64",
    "group": "str",
    "severity": "str",
    "tissue": "str",
    "x": "float64",
    "y": "float64",
    "radius": "float64",
    "line": "int64",
}


def choose_regions(
    notes: pd.DataFrame,
    malformed: pd.DataFrame,
    question: Question,
    protocol: Literal["patient", "author"],
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose the rows that a question is asked about.

    ``patient`` takes every row with a usable place; normal scans have none yet. ``author`` does as the
    article's code: the first row of each scan but those with NOTE 3, a missing place is the scan's centre,
    and a normal scan is cut at a random point near it.

    Args:
        notes: What was understood of the notes.
        malformed: What was not.
        question: What is asked, of which classes.
        protocol: ``patient`` or ``author``.
        seed: Decides the points at which ``author`` cuts normal scans.

    Returns:
        ``regions`` and ``rejected`` (``line``, ``text``, ``reason``): together they hold every row once.
    """
    labels = _match_labels(question)
    ranks = notes.groupby("scan").cumcount() + 1
    regions: list[dict[str, Any]] = []
    rejected = _list_rows(malformed[list(MALFORMED_TYPES)])
    for row, rank in zip(_list_rows(notes), ranks, strict=True):
        # An empty text read back from a CSV file is no text at all.
        place = row["place"] if isinstance(row["place"], str) else ""
        reason = _find_reason(row, place, labels, question, protocol)
        if reason:
            rejected.append({"line": row["line"], "text": row["text"], "reason": reason})
            continue
        label = labels[row["severity"]]
        region = {**row, "label": label, "target": question.labels.index(label)}
        if protocol == "author":
            region |= {"region_id": row["scan"], **_place_as_author(row, place, seed)}
        else:
            # A normal scan's regions are numbered where their places are drawn.
            region["region_id"] = row["scan"] if row["group"] == "NORM" else f"{row['scan']}-{rank}"
        regions.append(region)
    return (
        pd.DataFrame(regions, columns=list(REGION_TYPES)).astype(REGION_TYPES),
        pd.DataFrame(rejected, columns=list(MALFORMED_TYPES))
        .astype(MALFORMED_TYPES)
        .sort_values("line", kind="stable", ignore_index=True),
    )


def _list_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _match_labels(question: Question) -> dict[str, str]:
    if question.about not in LABELS:
        raise MammoscanError(f"question.about is {question.about!r}, expected one of: {', '.join(LABELS)}")
    labels = LABELS[question.about]
    expected = sorted(set(labels.values()))
    if sorted(question.labels) != expected:
        raise MammoscanError(
            f"question.labels is {list(question.labels)}, expected {expected} in any order for a question "
            f"about {question.about}"
        )
    known = ABNORMALITIES if question.about == "severity" else (*ABNORMALITIES, "NORM")
    strange = sorted(set(question.groups) - set(known))
    if strange:
        raise MammoscanError(f"question.groups holds {strange}, expected only classes out of {list(known)}")
    return labels


def _find_reason(
    row: dict[str, Any], place: str, labels: dict[str, str], question: Question, protocol: str
) -> str:
    """Tell why a row is left out; empty where it is chosen."""
    if row["severity"] not in labels:
        return "a normal scan: the question is about abnormalities only"
    # Normal scans stay: `groups` restricts which abnormalities are asked about.
    if question.groups and row["group"] not in (*question.groups, "NORM"):
        return f"class {row['group']}: the question is about {' '.join(question.groups)} only"
    if protocol == "author":
        if not row["first_of_scan"]:
            return "not the first row of its scan: the article keeps the first only"
        return "" if place == NO_PLACE else place
    return place


def _place_as_author(row: dict[str, Any], place: str, seed: int) -> dict[str, float]:
    if row["group"] == "NORM":
        # One generator a scan, so that other rows never move this one's point.
        rng = np.random.default_rng([seed, int(row["scan"][3:])])
        x, y = rng.integers(AUTHOR_LOWEST, AUTHOR_CENTRE, size=2, endpoint=True)
        return {"x": float(x), "y": float(y), "radius": AUTHOR_RADIUS}
    if place == NO_PLACE:
        return {"x": AUTHOR_CENTRE, "y": AUTHOR_CENTRE, "radius": AUTHOR_RADIUS}
    return {}
