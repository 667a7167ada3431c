"""What each scan of a mini-MIAS phantom shows: drawn from the seed before any pixel is.

How many scans of each class and severity a phantom of a given size holds.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from mammoscan.phantoms.breast import SCAN, Breast, draw_breast, draw_place, mirror_breast
from mammoscan.phantoms.lesions import Region, draw_looks

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

MAX_ABNORMAL_SHARE = 0.63
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
        int(2 * patients * MAX_ABNORMAL_SHARE)
        - scale_count(WITHOUT_PLACE, patients)
        - scale_count(WIDE_SPREAD, patients)
    )
    rounds = max(wanted.values())
    filled = [key for turn in range(rounds) for key, count in wanted.items() if turn < count]
    return filled[:room]


AT_BORDER = 0.06
TISSUES = "FGD"


@dataclass
class ScanPlan:
    """One scan: number, breast, tissue and regions."""

    number: int
    patient: int
    tissue: str
    breast: Breast
    regions: list[Region] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name without suffix, e.g. ``mdb001``."""
        return f"mdb{self.number:03d}"


def plan_scans(patients: int, seed: int) -> list[ScanPlan]:
    """Draw the plan of a phantom.

    Args:
        patients: Number of patients, at least 8.
        seed: Seed of everything that is drawn.

    Returns:
        Two scans a patient, in the order of their numbers.
    """
    rng = np.random.default_rng([seed, 1])
    scans = _draw_scans(patients, seed)
    hosts = _choose_scans(patients, rng)
    listed = _list_regions(patients, rng)
    for number, regions in zip(hosts, listed, strict=True):
        scans[number].regions.extend(regions)
    placed = [(scan, region) for scan in scans for region in scan.regions]
    draw_looks([region for _, region in placed if region.state == "placed"], rng)
    _draw_places(placed, rng)
    _draw_tissues(scans, rng)
    return scans


def _draw_scans(patients: int, seed: int) -> list[ScanPlan]:
    scans = []
    for patient in range(patients):
        own = np.random.default_rng([seed, 2, patient])
        first = draw_breast(own, "left" if own.random() < 0.03 else "right")
        pair = (first, mirror_breast(first, own))
        for place, breast in enumerate(pair):
            scans.append(ScanPlan(2 * patient + place + 1, patient, TISSUES[0], breast))
    return scans


def _choose_scans(patients: int, rng: np.random.Generator) -> list[int]:
    """Return the positions of the abnormal scans: the usable ones, then those with nothing to locate."""
    usable = len(count_first_rows(patients))
    vague = scale_count(WITHOUT_PLACE, patients) + scale_count(WIDE_SPREAD, patients)
    pairs = max(round(PATIENTS_WITH_TWO * usable / 111), usable - patients)
    order = rng.permutation(patients)
    flip = rng.integers(0, 2, patients)
    own = [2 * p + int(flip[p]) for p in order]
    other = [2 * p + 1 - int(flip[p]) for p in order]
    chosen = own[: usable - pairs] + other[:pairs]
    chosen = [int(position) for position in rng.permutation(chosen)]
    return chosen + (own[usable - pairs :] + other[pairs:])[:vague]


def _list_regions(patients: int, rng: np.random.Generator) -> list[list[Region]]:
    """Return the regions of each abnormal scan, in the order of ``_choose_scans``."""
    listed = [[Region(kind, severity)] for kind, severity in count_first_rows(patients)]
    free = [int(i) for i in rng.permutation(len(listed))]
    for (kind, severity), further, count in FURTHER_ROWS:
        fitting = [i for i in free if (listed[i][0].kind, listed[i][0].severity) == (kind, severity)]
        for i in fitting[: scale_count(count, patients)]:
            listed[i].extend(Region(kind, other) for other in further)
            free.remove(i)
    listed += [[Region("CIRC", "B", "unplaced")] for _ in range(scale_count(WITHOUT_PLACE, patients))]
    listed += [[Region("CALC", "M", "spread")] for _ in range(scale_count(WIDE_SPREAD, patients))]
    return listed


def _draw_tissues(scans: list[ScanPlan], rng: np.random.Generator) -> None:
    """Assign the patients' tissue, evenly within each severity."""
    patients = len(scans) // 2
    severities = {scan.patient: region.severity for scan in scans for region in scan.regions[:1]}
    turns = rng.permutation(len(TISSUES))
    order = sorted(rng.permutation(patients).tolist(), key=lambda patient: severities.get(patient, ""))
    for turn, patient in enumerate(order):
        for scan in scans[2 * patient : 2 * patient + 2]:
            scan.tissue = TISSUES[turns[turn % len(TISSUES)]]


def _draw_places(placed: list[tuple[ScanPlan, Region]], rng: np.random.Generator) -> None:
    """Place the regions, those of one scan apart from each other, and a few of them at a border."""
    several = Counter(scan.number for scan, _ in placed)
    border = max(2, round(AT_BORDER * len(placed)))
    alone = [i for i, (scan, _) in enumerate(placed) if several[scan.number] == 1]
    at_border = set(rng.permutation(alone)[:border].tolist())
    taken: dict[int, list[tuple[float, float]]] = {}
    for i, (scan, region) in enumerate(placed):
        others = taken.setdefault(scan.number, [])
        tries = [draw_place(scan.breast, rng, i in at_border) for _ in range(12 if others else 1)]
        row, column = max(
            tries, key=lambda t: min((np.hypot(t[0] - r, t[1] - c) for r, c in others), default=0.0)
        )
        others.append((row, column))
        region.row = int(np.clip(round(row), 1, SCAN - 1))
        region.column = int(np.clip(round(column), 0, SCAN - 1))
