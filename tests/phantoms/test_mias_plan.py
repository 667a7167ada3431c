from collections import Counter, defaultdict

import numpy as np
import pytest

from mammoscan.phantoms.breast import SCAN
from mammoscan.phantoms.lesions import BEDS, FORMS
from mammoscan.phantoms.mias_plan import ScanPlan, plan_scans

SIZES = (8, 12, 24, 40, 161, 400)


def list_placed(scans: list[ScanPlan]) -> list:
    return [(scan, region) for scan in scans for region in scan.regions if region.state == "placed"]


@pytest.mark.parametrize("seed", [0, 7, 12345])
def test_full_size_has_every_published_count(seed):
    scans = plan_scans(161, seed)
    placed = list_placed(scans)
    states = Counter(region.state for scan in scans for region in scan.regions)
    assert len(scans) == 322
    assert sum(max(1, len(scan.regions)) for scan in scans) == 330
    assert sum(not scan.regions for scan in scans) == 207
    assert states == {"placed": 119, "unplaced": 1, "spread": 3}
    assert Counter(region.severity for _, region in placed) == {"B": 68, "M": 51}
    assert len({scan.number for scan, _ in placed}) == 111
    assert len({scan.patient for scan, _ in placed}) == 104


@pytest.mark.parametrize("seed", [0, 7])
def test_full_size_has_the_published_classes_in_its_first_rows(seed):
    scans = plan_scans(161, seed)
    firsts = [scan.regions[0] for scan in scans if scan.regions and scan.regions[0].state != "spread"]
    counted = Counter((region.kind, region.severity) for region in firsts)
    pairs = {kind: (counted[kind, "B"], counted[kind, "M"]) for kind, _ in counted}
    assert pairs == {
        "CALC": (12, 10),
        "CIRC": (19, 4),
        "SPIC": (11, 8),
        "MISC": (7, 7),
        "ARCH": (9, 10),
        "ASYM": (6, 9),
    }
    further = [region for scan in scans for region in scan.regions[1:]]
    assert len(further) == 8
    assert sum(len({region.severity for region in scan.regions}) == 2 for scan in scans) == 1


@pytest.mark.parametrize("patients", SIZES)
def test_every_wart_is_there_at_any_size(patients):
    scans = plan_scans(patients, 7)
    placed = list_placed(scans)
    states = Counter(region.state for scan in scans for region in scan.regions)
    owners = defaultdict(set)
    for scan, region in placed:
        owners[region.severity].add(scan.patient)
    assert len(scans) == 2 * patients
    assert states["unplaced"] >= 1
    assert states["spread"] >= 1
    assert {region.kind for _, region in placed} == {"CALC", "CIRC", "SPIC", "MISC", "ARCH", "ASYM"}
    assert min(len(owners["B"]), len(owners["M"])) >= 4
    assert {min(region.radius for _, region in placed), max(region.radius for _, region in placed)} == {
        3,
        197,
    }
    assert max(len(scan.regions) for scan in scans) == 3
    assert any({"B", "M"} == {region.severity for region in scan.regions} for scan in scans)
    assert sum(not scan.regions for scan in scans) >= 0.35 * len(scans)
    assert {scan.tissue for scan in scans} == set("FGD")


@pytest.mark.parametrize("patients", [24, 30, 60])
def test_calcifications_of_both_severities_suffice_for_a_study_from_24_patients_on(patients):
    firsts = Counter(
        (scan.regions[0].kind, scan.regions[0].severity)
        for scan in plan_scans(patients, 7)
        if scan.regions and scan.regions[0].state == "placed"
    )
    assert min(firsts["CALC", "B"], firsts["CALC", "M"]) >= 4
    assert len(firsts) == 12


def test_larger_phantoms_keep_the_proportions():
    placed = list_placed(plan_scans(322, 7))
    assert Counter(region.severity for _, region in placed) == {"B": 136, "M": 102}


def test_radii_know_nothing_of_the_severity():
    for seed in range(5):
        placed = list_placed(plan_scans(161, seed))
        benign = np.array([region.radius for _, region in placed if region.severity == "B"])
        malignant = np.array([region.radius for _, region in placed if region.severity == "M"])
        larger = (benign[:, None] < malignant).mean() + (benign[:, None] == malignant).mean() / 2
        assert 0.45 < larger < 0.55


def test_shape_tells_the_severity_but_for_a_stated_share():
    placed = list_placed(plan_scans(161, 3))
    masses = [region for _, region in placed if region.kind != "CALC"]
    specks = [region for _, region in placed if region.kind == "CALC"]
    agree = np.mean([(region.pull > 0.5) == (region.severity == "M") for region in masses])
    assert agree == pytest.approx(0.85, abs=0.01)
    undecided = np.mean([0.4 <= region.pull <= 0.6 for region in specks])
    assert undecided == pytest.approx(0.5, abs=0.06)


def test_calcifications_share_out_all_forms_and_beds_and_each_severity_has_every_form():
    specks = [region for _, region in list_placed(plan_scans(161, 7)) if region.kind == "CALC"]
    assert len(specks) == 27
    assert len({(region.form, round(region.bed / 22.5)) for region in specks}) == len(FORMS) * len(BEDS)
    for severity in "BM":
        assert {region.form for region in specks if region.severity == severity} == set(FORMS)


@pytest.mark.parametrize("seed", [0, 7])
def test_tissue_knows_nothing_of_the_severity(seed):
    hosts = {
        scan.patient: (scan.regions[0].severity, scan.tissue)
        for scan in plan_scans(161, seed)
        if scan.regions
    }
    counts = Counter(hosts.values())
    for severity in "BM":
        shares = [counts[severity, tissue] for tissue in "FGD"]
        assert max(shares) - min(shares) <= 2


def test_places_lie_on_the_film_and_some_at_a_border():
    placed = list_placed(plan_scans(161, 7))
    near = 0
    for scan, region in placed:
        margin = (SCAN - scan.breast.film) / 2
        depth = region.column - margin if scan.breast.side == "left" else SCAN - 1 - margin - region.column
        skin = float(scan.breast.outline_depth(np.asarray(float(region.row))))
        assert 0 < region.row < SCAN
        assert -1 < depth < skin + 1
        near += depth < 40 or skin - depth < 40
    assert near >= 5


def test_a_patient_has_two_scans_of_one_tissue_and_opposite_sides():
    scans = plan_scans(20, 7)
    for first, second in zip(scans[::2], scans[1::2], strict=True):
        assert first.patient == second.patient
        assert first.tissue == second.tissue
        assert {first.breast.side, second.breast.side} == {"left", "right"}


def test_the_plan_follows_the_seed():
    assert plan_scans(30, 5) == plan_scans(30, 5)
    assert plan_scans(30, 5) != plan_scans(30, 6)


def test_numbers_beyond_999_are_written_out():
    assert plan_scans(501, 1)[-1].name == "mdb1002"
