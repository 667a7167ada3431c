import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss

from mammoscan.evaluation.calibration import measure_calibration


@pytest.fixture
def calibrated():
    """Labels drawn by the very probabilities that are stated."""
    rng = np.random.default_rng(0)
    p = rng.random(4000)
    malignant = rng.random(4000) < p
    return pd.DataFrame(
        {
            "model": "cnn",
            "fold": 0,
            "sample_id": np.arange(4000).astype(str),
            "patient_id": [f"p{k // 20}" for k in range(4000)],
            "label": np.where(malignant, "malignant", "benign"),
            "p_benign": 1 - p,
            "p_malignant": p,
        }
    )


def test_honest_probabilities_have_a_small_error_and_bins_on_the_diagonal(calibrated, question, evaluation):
    found = measure_calibration(calibrated, question, evaluation)["cnn"]
    assert found["ece"]["value"] < 0.03
    assert found["brier"]["value"] == pytest.approx(
        brier_score_loss(calibrated["label"] == "malignant", calibrated["p_malignant"])
    )
    assert len(found["bins"]) == 10
    assert sum(entry["samples"] for entry in found["bins"]) == 4000
    inside = [entry["low"] <= entry["predicted"] <= entry["high"] for entry in found["bins"]]
    assert sum(inside) >= 8


def test_the_errors_interval_is_not_pushed_up_by_the_noise_of_resampling(calibrated, question, evaluation):
    ece = measure_calibration(calibrated, question, evaluation)["cnn"]["ece"]
    assert ece["value"] - ece["low"] > 0.3 * (ece["high"] - ece["value"])


def test_overconfident_probabilities_are_found_out(calibrated, question, evaluation):
    sure = (calibrated["p_malignant"] > 0.5) * 0.98 + 0.01
    found = measure_calibration(calibrated.assign(p_malignant=sure, p_benign=1 - sure), question, evaluation)[
        "cnn"
    ]
    truth = abs(0.25 - 0.01)
    assert found["ece"]["value"] == pytest.approx(truth, abs=0.02)
    assert found["ece"]["low"] < found["ece"]["value"] < found["ece"]["high"]
    assert [entry["from"] for entry in found["bins"]] == [0.0, 0.9]


def test_the_error_of_two_hand_made_bins_is_right(question, evaluation):
    p = [0.1] * 4 + [0.9] * 4
    labels = ["malignant", "benign", "benign", "benign"] + ["malignant"] * 2 + ["benign"] * 2
    table = pd.DataFrame(
        {"model": "cnn", "sample_id": list("abcdefgh"), "patient_id": list("abcdefgh"), "label": labels}
    ).assign(p_malignant=p, p_benign=[1 - x for x in p])
    found = measure_calibration(table, question, evaluation)["cnn"]
    assert found["ece"]["value"] == pytest.approx((0.15 + 0.4) / 2)
    assert [(entry["observed"], entry["patients"]) for entry in found["bins"]] == [(0.25, 4), (0.5, 4)]


def test_probability_one_falls_in_the_last_bin(question, evaluation, calibrated):
    found = measure_calibration(calibrated.assign(p_malignant=1.0, p_benign=0.0), question, evaluation)["cnn"]
    assert [(entry["from"], entry["to"]) for entry in found["bins"]] == [(0.9, 1.0)]
