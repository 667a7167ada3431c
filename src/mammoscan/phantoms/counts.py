"""How many scans of each class and severity a phantom of a given size holds."""

from __future__ import annotations

FULL_PATIENTS = 161
"""Patients of mini-MIAS, at which every count below holds exactly."""

FIRST_ROWS: dict[tuple[str, str], int] = {
    ("CALC", "B"): 12,
    ("CALC", "M"): 10,
    ("CIRC", "B"): 18,
    ("SPIC", "M"): 8,
    ("MISC", "B"): 7,
    ("ARCH", "M"): 10,
    ("ASYM", "B"): 6,
    ("ASYM", "M"): 9,
    ("SPIC", "B"): 11,
    ("ARCH", "B"): 9,
    ("CIRC", "M"): 4,
    ("MISC", "M"): 7,
}
"""Scans by the class and severity of their first row, coordinates given.

The order is the one in which a small phantom is filled: its first four benign and four malignant entries cover
all six classes. The row without coordinates (CIRC B) comes on top.
"""

WITHOUT_PLACE = 1
WIDE_SPREAD = 3
PATIENTS_WITH_TWO = 7

FURTHER_ROWS: tuple[tuple[tuple[str, str], str, int], ...] = (
    (("MISC", "B"), "M", 1),
    (("CALC", "B"), "BB", 1),
    (("CIRC", "B"), "B", 2),
    (("CALC", "M"), "M", 2),
    (("CALC", "B"), "B", 1),
)
"""Scans with more than one row: class and severity of the first row, severities of the further ones, scans."""

MOST_ABNORMAL = 0.63
"""Share of the scans that may be abnormal; it bounds only phantoms of fewer than about 18 patients."""


def scale_count(count: int, patients: int) -> int:
    """Return a count of the full set in proportion to ``patients``, but at least one."""
    return max(1, round(count * patients / FULL_PATIENTS))


def count_first_rows(patients: int) -> list[tuple[str, str]]:
    """List the class and severity of each scan with a usable first row.

    Args:
        patients: Patients of the phantom.

    Returns:
        One (class, severity) a scan. Every pair occurs once before any occurs twice, and calcifications of each
        severity number at least ``min(4, patients // 6)``, as far as the share of abnormal scans allows.
    """
    wanted = {key: scale_count(count, patients) for key, count in FIRST_ROWS.items()}
    for severity in "BM":
        wanted["CALC", severity] = max(wanted["CALC", severity], min(4, patients // 6))
    room = (
        int(2 * patients * MOST_ABNORMAL)
        - scale_count(WITHOUT_PLACE, patients)
        - scale_count(WIDE_SPREAD, patients)
    )
    rounds = max(wanted.values())
    filled = [key for turn in range(rounds) for key, count in wanted.items() if turn < count]
    return filled[:room]
