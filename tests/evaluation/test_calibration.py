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


def test_calibrated_probabilities_have_slope_1_intercept_0_and_an_error_that_chance_explains(
    calibrated, question, evaluation
):
    found = measure_calibration(calibrated, question, evaluation)["cnn"]
    assert found["slope"]["low"] < 1 < found["slope"]["high"]
    assert found["intercept"]["low"] < 0 < found["intercept"]["high"]
    band = found["ece_if_calibrated"]
    assert 0 < band["low"] < found["ece"]["value"] < band["high"]
    # It is above 0 even where probabilities are calibrated: an interval around it would never hold the truth.
    assert (found["ece"]["low"], found["ece"]["high"]) == (None, None)


def test_a_slope_is_found_with_its_interval_over_patients(calibrated, question, evaluation):
    p = calibrated["p_malignant"]
    odds = (p / (1 - p)) ** 2
    sharp = calibrated.assign(p_malignant=odds / (1 + odds), p_benign=1 / (1 + odds))
    found = measure_calibration(sharp, question, evaluation)["cnn"]["slope"]
    assert found["value"] == pytest.approx(0.5, abs=0.05)
    assert found["high"] < 0.6
    # The same labels in fewer patients: the interval is wider.
    clustered = sharp.sort_values(["label", "p_malignant"]).assign(
        patient_id=lambda t: np.arange(4000) // 100
    )
    wider = measure_calibration(clustered, question, evaluation)["cnn"]["slope"]
    assert wider["high"] - wider["low"] > 1.5 * (found["high"] - found["low"])


def test_patients_whose_images_share_a_label_widen_the_band(question, evaluation):
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(60), 10)
    p = rng.random(60)[patient]

    def measure(labels):
        table = pd.DataFrame(
            {
                "model": "cnn",
                "sample_id": np.arange(600),
                "patient_id": patient,
                "label": np.where(labels, "malignant", "benign"),
                "p_malignant": p,
                "p_benign": 1 - p,
            }
        )
        return measure_calibration(table, question, evaluation)["cnn"]["ece_if_calibrated"]["value"]

    assert measure((rng.random(60) < p[::10])[patient]) > 2 * measure(rng.random(600) < p)


def test_labels_that_probabilities_separate_have_no_slope(question, evaluation, calibrated):
    p = np.where(calibrated["label"] == "malignant", 0.9, 0.1)
    found = measure_calibration(calibrated.assign(p_malignant=p, p_benign=1 - p), question, evaluation)["cnn"]
    assert (found["slope"]["value"], found["slope"]["low"]) == (None, None)


def test_overconfident_probabilities_are_found_out(calibrated, question, evaluation):
    sure = (calibrated["p_malignant"] > 0.5) * 0.98 + 0.01
    found = measure_calibration(calibrated.assign(p_malignant=sure, p_benign=1 - sure), question, evaluation)[
        "cnn"
    ]
    truth = abs(0.25 - 0.01)
    assert found["ece"]["value"] == pytest.approx(truth, abs=0.02)
    assert found["ece"]["value"] > found["ece_if_calibrated"]["high"]
    assert found["slope"]["high"] < 1
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
