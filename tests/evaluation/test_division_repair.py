"""What the sides of a division share is found, and a division without it is made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mammoscan.errors import MammoscanError
from mammoscan.evaluation.division_repair import Keys, find_keys, find_pairs, lay_out_folds, repair_division
from mammoscan.evaluation.leak_audit import audit_leaks
from planted_division import PLANTED, write_division

Division = tuple[pd.DataFrame, pd.Series, np.ndarray, dict, Keys]


def read(folder: Path, planted: bool) -> Division:
    rows = pd.read_csv(write_division(folder, planted))
    pixels = np.stack([np.asarray(Image.open(folder / path))[..., None] for path in rows["path"]])
    names = rows["path"].map(lambda path: Path(path).stem)
    samples = rows.assign(sample_id=names, source=names, region_id=names)
    roles = rows["side"].replace({"val": "validation"})
    audit = audit_leaks(samples, pixels, lay_out_folds(samples, roles))
    return samples, roles, pixels, audit, find_keys(samples, pixels, audit, patients_known=True)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Division:
    return read(tmp_path_factory.mktemp("planted") / "division", True)


def test_what_is_planted_is_found_and_nothing_else(planted: Division) -> None:
    samples, roles, _, _, keys = planted
    pairs = find_pairs(samples, roles, keys)
    assert dict(zip(pairs["sample_id"], pairs["kind"], strict=True)) == PLANTED
    assert set(pairs["side"]) == {"test"}
    others = dict(zip(pairs["sample_id"], pairs["other"], strict=True))
    assert others == {"copy": "film002", "turned": "film003", "brighter": "film006", "relative": "film007"}


@pytest.mark.parametrize("repair", ["move", "drop"])
def test_the_repaired_division_shares_nothing(planted: Division, repair: str) -> None:
    samples, roles, pixels, before, keys = planted
    assert before["views"]["count"] == 2
    after, why = repair_division(samples, roles, keys, repair)
    audit = audit_leaks(samples, pixels, lay_out_folds(samples, after))
    assert audit["views"]["count"] == audit["patient"]["count"] == 0
    assert not audit["near"]["beyond_chance"]
    changed = set(samples["sample_id"][why != ""])
    assert set(samples["sample_id"][after != roles]) == changed
    if repair == "move":
        assert set(after[why != ""]) == {"train"}
        assert changed == set(PLANTED)
    else:
        assert set(after[why != ""]) == {"out"}
        assert changed == {"film002", "film003", "film006", "film007"}
        assert (after[roles == "test"] == "test").all()


def test_a_clean_division_stays_as_it_is(tmp_path: Path) -> None:
    samples, roles, _, _, keys = read(tmp_path / "division", False)
    after, why = repair_division(samples, roles, keys, "move")
    assert after.equals(roles)
    assert not why.any()


def test_folds_are_each_tested_in_turn(planted: Division) -> None:
    samples, roles, pixels, _, keys = planted
    folds = roles.map({"train": "fold_0", "validation": "fold_1", "test": "fold_2"})
    table = lay_out_folds(samples, folds)
    assert (table[["fold_0", "fold_1", "fold_2"]] == "test").sum(axis=1).eq(1).all()
    after, _ = repair_division(samples, folds, keys, "move")
    audit = audit_leaks(samples, pixels, lay_out_folds(samples, after))
    assert audit["views"]["count"] == audit["patient"]["count"] == 0
    with pytest.raises(MammoscanError, match=r"audit.repair is drop, but the sides are folds"):
        repair_division(samples, folds, keys, "drop")


def test_a_whole_patient_goes_where_most_of_it_is(planted: Division) -> None:
    samples, roles, _, _, keys = planted
    patients = keys.patient.copy()
    some = samples.index[samples["sample_id"].isin(["film000", "film004", "film010"])]
    patients[some] = "one"  # two images in the test side and one in training
    after, why = repair_division(samples, roles, Keys(**{**vars(keys), "patient": patients}), "move")
    assert set(after[some]) == {"test"}
    assert list(why[some]) == ["", "", "the same patient"]
