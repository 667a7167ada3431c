"""What was found on whole scans: the FROC curve and what belongs to it."""

from __future__ import annotations

from mammoscan.records.base import Record
from mammoscan.records.measures import Measure


class FrocPoint(Record):
    """One threshold of the curve: false findings per scan, and the share of regions that are found."""

    threshold: float
    false_findings: float
    sensitivity: float


class RateSensitivity(Record):
    """Sensitivity where there are at most ``false_findings`` per scan, and the threshold that gives it."""

    false_findings: float
    threshold: float | None
    measure: Measure


class FrocSubgroup(Record):
    """Sensitivity on some of the regions, at a threshold of all."""

    by: str
    subgroup: str
    regions: int
    patients: int
    measure: Measure


class Froc(Record):
    """Findings on whole scans against the marked regions.

    Attributes:
        scans: Scans that were read.
        normal_scans: Those without a region.
        regions: Marked regions on the others.
        patients: Patients of all scans.
        findings: Findings on all scans.
        curve: From the highest threshold to the lowest.
        at: Sensitivity at fixed rates of false findings.
        subgroup_rate: The rate whose threshold the subgroups have.
        subgroups: Sensitivity by lesion class, severity, tissue and size.
        scan_auc: A scan's highest finding tells scans with a region from those without.
        patient_auc: The same of a patient's scans.
    """

    scans: int
    normal_scans: int
    regions: int
    patients: int
    findings: int
    curve: tuple[FrocPoint, ...]
    at: tuple[RateSensitivity, ...]
    subgroup_rate: float
    subgroups: tuple[FrocSubgroup, ...]
    scan_auc: Measure
    patient_auc: Measure
