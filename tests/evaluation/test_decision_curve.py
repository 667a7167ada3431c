"""Net benefit: the definition of Vickers and Elkin, and what an interval over patients must hold."""

import numpy as np
import pandas as pd
import pytest

from mammoscan.evaluation.decision_curve import THRESHOLDS, measure_decision_curve
from mammoscan.params import EvaluationParams, Question

QUESTION = Question(text="?", labels=("benign", "malignant"), positive="malignant")
EVALUATION = EvaluationParams(resamples=50, metadata_columns=())


def predict(
    score: np.ndarray, positive: np.ndarray, patients: np.ndarray, model: str = "cnn"
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": model,
            "fold": 0,
            "sample_id": np.arange(len(score)),
            "patient_id": patients,
            "label": np.where(positive, "malignant", "benign"),
            "p_benign": 1 - score,
            "p_malignant": score,
        }
    )


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    positive = rng.random(120) < 0.4
    score = np.clip(0.35 * positive + rng.random(120) * 0.6, 0, 1)
    return predict(score, positive, np.arange(120) // 2)


def test_net_benefit_is_true_positives_less_false_ones_at_the_thresholds_odds(table: pd.DataFrame) -> None:
    curve = measure_decision_curve(table, QUESTION, EVALUATION)
    assert [point.threshold for point in curve.points] == list(THRESHOLDS)
    positive, score = table["label"] == "malignant", table["p_malignant"]
    assert curve.prevalence == pytest.approx(positive.mean())
    for point in curve.points:
        odds = point.threshold / (1 - point.threshold)
        said = score >= point.threshold
        wanted = (said & positive).mean() - odds * (said & ~positive).mean()
        assert point.model["value"] == pytest.approx(wanted)
        assert point.call_all == pytest.approx(positive.mean() - odds * (~positive).mean())
        assert point.gain["value"] == pytest.approx(wanted - max(point.call_all, 0))
        assert point.model["low"] <= wanted <= point.model["high"]
        assert "given these networks" in point.model["method"]


def test_the_interval_counts_patients_and_not_images(table: pd.DataFrame) -> None:
    copied = pd.concat([table] * 3, ignore_index=True)
    once, thrice = (
        measure_decision_curve(rows, QUESTION, EVALUATION).points[29].model for rows in (table, copied)
    )
    # An interval over images would be 1.73 times narrower.
    assert thrice["low"] == pytest.approx(once["low"], abs=0.005)
    assert thrice["high"] == pytest.approx(once["high"], abs=0.005)


def test_a_useless_model_gains_nothing_and_an_oracle_gains_everywhere() -> None:
    rng = np.random.default_rng(2)
    positive = rng.random(200) < 0.3
    oracle = predict(np.where(positive, 0.99, 0.001), positive, np.arange(200))
    useless = predict(rng.permutation(oracle["p_malignant"].to_numpy()), positive, np.arange(200))
    assert all(
        point.gain["low"] > 0
        for point in measure_decision_curve(oracle, QUESTION, EVALUATION).points
        if point.threshold >= 0.1
    )
    assert not any(
        point.gain["low"] > 0 for point in measure_decision_curve(useless, QUESTION, EVALUATION).points
    )


def test_simple_models_have_a_curve_and_the_majority_has_none(table: pd.DataFrame) -> None:
    models = ("cnn", "texture", "majority")
    tables = pd.concat([table.assign(model=model) for model in models], ignore_index=True)
    point = measure_decision_curve(tables, QUESTION, EVALUATION).points[10]
    assert point.others == {"texture": pytest.approx(point.model["value"])}


def test_more_than_two_labels_have_no_curve(table: pd.DataFrame) -> None:
    question = Question(text="?", labels=("benign", "malignant", "normal"), positive="malignant")
    assert measure_decision_curve(table.assign(p_normal=0.0), question, EVALUATION).points == ()
