from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mammoscan.evaluation.froc import match_findings, measure_froc
from mammoscan.params import EvaluationParams

EVALUATION = EvaluationParams(resamples=50, metadata_columns=())


def make_scans(count: int) -> pd.DataFrame:
    """Two scans per patient; the even ones hold a region."""
    return pd.DataFrame(
        {
            "source": [f"s{n}" for n in range(count)],
            "patient_id": [f"p{n // 2}" for n in range(count)],
            "fold": [(n // 2) % 2 for n in range(count)],
        }
    )


def make_regions(scans: pd.DataFrame) -> pd.DataFrame:
    regions = scans.iloc[::2].reset_index(drop=True)
    return regions.assign(
        region_id=[f"r{n}" for n in range(len(regions))],
        row=100.0,
        column=200.0,
        radius=np.where(np.arange(len(regions)) % 2 == 0, 20.0, 50.0),
        group="CIRC",
        severity="benign",
        tissue="fatty",
    )


def make_findings(scans: pd.DataFrame, score: np.ndarray, row: np.ndarray) -> pd.DataFrame:
    return scans.assign(rank=1, score=score, row=row, column=200.0)


def test_a_finding_hits_where_its_centre_lies_within_the_marked_radius() -> None:
    scans = make_scans(4)
    regions = make_regions(scans)
    findings = pd.concat(
        [
            make_findings(scans, np.full(4, 0.5), np.array([120.0, 100, 150.1, 100])),
            make_findings(scans.iloc[:1], np.array([0.9]), np.array([121.0])),
        ]
    )
    matched, found = match_findings(findings, regions)
    assert list(matched["region_id"]) == ["r0", "", "", "", ""]
    np.testing.assert_array_equal(found["score"], [0.5, np.nan])


def test_the_curve_counts_regions_and_false_findings() -> None:
    scans = make_scans(40)
    regions = make_regions(scans)
    even = np.arange(40) % 2 == 0
    # Every other region is found with .9, the rest with .3; each normal scan has a false finding of .6.
    score = np.where(even, np.where(np.arange(40) % 4 == 0, 0.9, 0.3), 0.6)
    froc = measure_froc(make_findings(scans, score, np.full(40, 100.0)), regions, scans, EVALUATION)
    assert (froc.scans, froc.normal_scans, froc.regions, froc.patients) == (40, 20, 20, 20)
    assert [(p.threshold, p.false_findings, p.sensitivity) for p in froc.curve] == [
        (0.9, 0.0, 0.5),
        (0.6, 0.5, 0.5),
        (0.3, 0.5, 1.0),
    ]
    sensitivities = {point.false_findings: point.measure["value"] for point in froc.at}
    assert sensitivities == {0.5: 1.0, 1.0: 1.0, 2.0: 1.0, 4.0: 1.0}
    assert froc.scan_auc["value"] == pytest.approx(0.5)
    sizes = {row.subgroup: row.regions for row in froc.subgroups if row.by == "size"}
    assert sizes == {"radius 0 to 6 mm": 10, "radius 6 to 12 mm": 10}


def test_fewer_false_findings_cost_regions_and_the_interval_holds_the_value() -> None:
    rng = np.random.default_rng(0)
    scans = make_scans(80)
    regions = make_regions(scans)
    hits = make_findings(scans.iloc[::2], rng.uniform(0.2, 1, 40), np.full(40, 100.0))
    false = pd.concat([make_findings(scans, rng.uniform(0, 0.8, 80), np.full(80, 500.0)) for _ in range(5)])
    froc = measure_froc(pd.concat([hits, false]), regions, scans, EVALUATION)
    values = [point.measure["value"] for point in froc.at]
    assert values == sorted(values)
    assert values[0] < values[-1]
    for point in froc.at:
        measure = point.measure
        assert measure["low"] <= measure["value"] <= measure["high"]


def test_scans_without_any_finding_count() -> None:
    scans = make_scans(20)
    nothing = make_findings(scans, np.zeros(20), np.zeros(20)).iloc[:0]
    froc = measure_froc(nothing, make_regions(scans), scans, EVALUATION)
    assert froc.findings == 0
    assert froc.curve == ()
    assert [point.measure["value"] for point in froc.at] == [0.0] * 4
