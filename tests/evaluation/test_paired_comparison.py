import numpy as np
import pandas as pd
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.evaluation.comparison import compare_predictions
from mammoscan.evaluation.metrics import measure_predictions


def weaken(table: pd.DataFrame, noise: float) -> pd.DataFrame:
    p = table["p_malignant"] + noise * np.random.default_rng(1).normal(size=len(table))
    p = p.clip(0, 1)
    return table.assign(p_malignant=p, p_benign=1 - p)


def test_a_model_against_itself_differs_by_nothing(make_predictions, question, evaluation):
    table = make_predictions()
    found = compare_predictions(table, table.sample(frac=1, random_state=1), question, evaluation)
    assert (found["value"], found["low"], found["high"]) == (0, 0, 0)
    assert (found["samples"], found["patients"], found["left_out"]) == (200, 40, 0)


def test_pairing_makes_the_difference_sharper_than_the_two_intervals(make_predictions, question, evaluation):
    a = make_predictions(gap=1.5)
    b = weaken(a, 0.2)
    found = compare_predictions(a, b, question, evaluation)
    assert found["value"] == pytest.approx(found["a"]["value"] - found["b"]["value"])
    assert found["a"] == measure_predictions(a, question, evaluation)["cnn"]["auc"]
    assert found["high"] - found["low"] < (found["a"]["high"] - found["a"]["low"]) * 0.8
    assert found["low"] > 0
    assert found["low"] < found["value"] < found["high"]


def test_only_shared_samples_are_compared(make_predictions, question, evaluation):
    a = make_predictions()
    found = compare_predictions(a[:150], weaken(a[50:], 0.3), question, evaluation)
    assert (found["samples"], found["left_out"]) == (100, 100)


def test_tables_that_cannot_be_compared_are_refused(make_predictions, question, evaluation):
    a = make_predictions()
    other = a.assign(sample_id="x" + a["sample_id"])
    flipped = a.assign(
        label=a["label"].where(a.index != 7, "benign" if a["label"][7] == "malignant" else "malignant")
    )
    moved = a.assign(patient_id=a["patient_id"].where(a.index != 7, "p99"))
    for b, match in (
        (other, "share no sample"),
        (pd.concat([a, a]), "holds s0 twice"),
        (pd.concat([a, a.assign(model="texture")]), "expected one"),
        (flipped, "s7 has label"),
        (moved, "s7 has patient_id p1 in a and p99 in b"),
    ):
        with pytest.raises(MammoscanError, match=match):
            compare_predictions(a, b, question, evaluation)
