from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score, mean_absolute_error, r2_score, root_mean_squared_error

from mammoscan.evaluation.number_metrics import choose_digits, limit_errors, measure_targets
from mammoscan.params import EvaluationParams, TargetQuestion

EVALUATION = EvaluationParams(resamples=400, metadata_columns=())
AGE = TargetQuestion(kind="numbers", text="How old?", quantity="age", measured_in="years")
GRADE = TargetQuestion(kind="levels", text="Which grade?", levels=("low", "middle", "high"))


def make_predictions(patients: int = 60, each: int = 2, levels: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    codes = np.repeat(np.arange(patients), each)
    truth = (
        rng.integers(0, 3, patients)[codes].astype(float) if levels else rng.normal(60, 10, patients)[codes]
    )
    found = truth + (0.2 if levels else 2) + rng.normal(0, 0.6 if levels else 4, len(codes))
    return pd.DataFrame(
        {
            "model": "cnn",
            "fold": codes % 5,
            "patient_id": [f"p{code}" for code in codes],
            "target": truth,
            "prediction": found,
        }
    )


def compute_icc(truth: np.ndarray, found: np.ndarray) -> float:
    """ICC(2,1) of Shrout and Fleiss from a two-way analysis of variance, term by term."""
    scores = np.stack([truth, found], axis=1)
    count, raters = scores.shape
    grand = scores.mean()
    rows = raters * ((scores.mean(axis=1) - grand) ** 2).sum() / (count - 1)
    columns = count * ((scores.mean(axis=0) - grand) ** 2).sum() / (raters - 1)
    left = scores - scores.mean(axis=1, keepdims=True) - scores.mean(axis=0) + grand
    error = (left**2).sum() / ((count - 1) * (raters - 1))
    return float((rows - error) / (rows + (raters - 1) * error + raters * (columns - error) / count))


def test_values_are_those_of_the_definitions() -> None:
    table = make_predictions()
    truth, found = table["target"].to_numpy(), table["prediction"].to_numpy()
    measured = measure_targets(table, AGE, EVALUATION)["cnn"]
    expected = {
        "r2": r2_score(truth, found),
        "mae": mean_absolute_error(truth, found),
        "rmse": root_mean_squared_error(truth, found),
        "icc": compute_icc(truth, found),
        "correlation": np.corrcoef(truth, found)[0, 1],
        "bias": (found - truth).mean(),
        "limit_low": (found - truth).mean() - 1.96 * (found - truth).std(ddof=1),
        "limit_high": (found - truth).mean() + 1.96 * (found - truth).std(ddof=1),
    }
    assert {name: measured[name]["value"] for name in expected} == pytest.approx(expected)
    for name in expected:
        assert measured[name]["low"] < measured[name]["value"] < measured[name]["high"], name
        assert measured[name]["note"] == ""
    assert (measured["samples"], measured["patients"]) == (120, 60)


def test_levels_are_measured_by_what_rounding_decides() -> None:
    table = make_predictions(levels=True)
    measured = measure_targets(table, GRADE, EVALUATION)["cnn"]
    decided = np.clip(np.rint(table["prediction"]), 0, 2).astype(int)
    truth = table["target"].astype(int)
    assert measured["kappa"]["value"] == pytest.approx(cohen_kappa_score(truth, decided, weights="quadratic"))
    assert measured["accuracy"]["value"] == pytest.approx((truth == decided).mean())
    assert measured["within_one"]["value"] == pytest.approx((abs(truth - decided) <= 1).mean())


def test_more_images_of_a_patient_do_not_narrow_an_interval() -> None:
    once = make_predictions(each=1)
    again = pd.concat([once] * 5, ignore_index=True)
    for name in ("r2", "mae", "rmse", "icc", "bias", "limit_high"):
        one, five = (measure_targets(table, AGE, EVALUATION)["cnn"][name] for table in (once, again))
        assert five["high"] - five["low"] == pytest.approx(one["high"] - one["low"], rel=0.02), name


def test_few_patients_are_noted_and_one_mean_for_all_has_no_correlation() -> None:
    table = make_predictions(patients=8).assign(prediction=60.0)
    measured = measure_targets(table, AGE, EVALUATION)["cnn"]
    assert measured["correlation"]["value"] is None
    assert measured["r2"]["value"] <= 0
    assert "too few patients" in measured["r2"]["note"]


def test_errors_of_the_next_answers_lie_within_the_range() -> None:
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(300):
        low, high = limit_errors(rng.normal(0, 1, 59), 0.9)
        inside.append(((next_ := rng.normal(0, 1, 50)) > low).mean() - (next_ > high).mean())
    assert np.mean(inside) == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize(("spread", "digits"), [(12.0, 1), (150.0, 0), (0.03, 4), (0.0, 2)])
def test_digits_follow_the_spread(spread: float, digits: int) -> None:
    assert choose_digits(np.array([0.0, 2 * spread])) == digits
