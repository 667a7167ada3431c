import numpy as np
import pytest
from scipy.stats import norm

from mammoscan.evaluation import intervals
from mammoscan.evaluation.intervals import TOO_FEW
from mammoscan.evaluation.metrics import measure_predictions
from mammoscan.evaluation.predictions import read_scored


def test_contributions_of_patients_are_the_jackknifes(make_predictions, question):
    scored = read_scored(make_predictions(), question)
    value, of_positives, of_negatives = intervals.rank_within_folds(scored, scored.positive)
    found = intervals.cluster_variance(of_positives, of_negatives)
    left_out = [
        intervals.rank_within_folds(scored.select(scored.patients != patient), scored.positive)[0]
        for patient in range(scored.n_patients)
    ]
    count = scored.n_patients
    jackknife = (count - 1) / count * ((np.array(left_out) - np.mean(left_out)) ** 2).sum()
    assert of_positives.sum() == pytest.approx(0, abs=1e-12)
    assert found == pytest.approx(jackknife, rel=0.15)
    assert 0.5 < value < 1


@pytest.mark.parametrize("patients", [12, 24, 60])
def test_an_auc_of_1_has_the_exact_lower_limit(make_predictions, question, evaluation, patients):
    table = make_predictions(patients=patients, gap=60.0)
    auc = measure_predictions(table, question, evaluation)["cnn"]["auc"]
    assert auc["value"] == auc["high"] == 1
    assert auc["low"] == pytest.approx(0.025 ** (1 / (patients // 2)))


def test_no_share_of_0_or_1_gets_an_interval_without_width(make_predictions, question, evaluation):
    measured = measure_predictions(make_predictions(patients=30, gap=60.0), question, evaluation)["cnn"]
    widths = {
        name: measure["high"] - measure["low"]
        for name, measure in measured.items()
        if isinstance(measure, dict) and measure.get("low") is not None
    }
    assert {"auc", "accuracy", "sensitivity", "f1", "average_precision", "balanced_accuracy"} <= set(widths)
    assert all(width > 0.02 for name, width in widths.items() if name not in ("brier", "log_loss"))


def test_cross_validated_networks_have_twice_the_variance_of_given_ones(make_predictions, question):
    table = make_predictions(gap=0.0, patients=60)
    given, crossed = (intervals.interval_auc(0.6, 0.0025, 50, 0.95, "m", folds) for folds in (1, 5))

    def to_logit(measure):
        return np.log(measure["high"] / (1 - measure["high"])) - np.log(0.6 / 0.4)

    assert to_logit(crossed) == pytest.approx(np.sqrt(2) * to_logit(given))
    assert given["method"].endswith("given these networks")
    assert crossed["method"].endswith("with the variance of training")
    one, two = (
        intervals.measure_auc(read_scored(part, question), 0.95) for part in (table.assign(fold=0), table)
    )
    assert (one["method"], two["method"]) == (
        f"{intervals.AUC_METHOD}, {intervals.GIVEN_NETWORKS}",
        f"{intervals.AUC_METHOD}, {intervals.WITH_TRAINING}",
    )


def test_alike_images_are_worth_no_more_than_their_patients():
    ten = np.full(10, 5.0)
    hits = np.where(np.arange(10) < 8, 5.0, 0.0)
    value, effective, patients = intervals.count_effective(hits, ten)
    assert (value, patients) == (0.8, 10)
    assert effective == pytest.approx(10)
    # Each patient has four hits of five: its images say as much as so many patients' would.
    assert intervals.count_effective(np.full(10, 4.0), ten)[1] == 10
    rng = np.random.default_rng(0)
    independent = intervals.count_effective(rng.binomial(5, 0.8, 200).astype(float), np.full(200, 5.0))
    assert independent[1] == pytest.approx(1000, rel=0.2)


def test_wilsons_limits_are_those_of_the_textbook():
    # 9 of 10, many patients: Student's quantile is the normal one.
    low, high = intervals.limit_share(0.9, 10, 10**6, 0.95)
    assert (low, high) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert intervals.limit_share(1.0, 10, 10**6, 0.95) == pytest.approx((0.7225, 1.0), abs=1e-4)


def test_predictive_values_follow_from_both_shares():
    sensitivity = intervals.interval_share(np.full(50, 0.9), np.ones(50), 0.95)
    alarms = intervals.interval_share(np.full(50, 0.2), np.ones(50), 0.95)
    value, low, high = intervals.limit_ratio(sensitivity, alarms, 0.1 / 0.9)
    assert value == pytest.approx(0.09 / (0.09 + 0.18))
    assert low < value < high
    nothing = intervals.interval_share(np.zeros(50), np.ones(50), 0.95)
    value, low, high = intervals.limit_ratio(sensitivity, nothing, 0.1 / 0.9)
    assert (value, high) == (1, 1)
    assert 0.1 < low < 1


def test_a_single_patient_of_a_label_has_no_interval(make_predictions, question, evaluation):
    table = make_predictions(patients=20)
    one = table[(table["target"] == 0) | (table["patient_id"] == "p1")]
    auc = measure_predictions(one, question, evaluation)["cnn"]["auc"]
    assert (auc["low"], auc["high"], auc["note"]) == (None, None, TOO_FEW)


def test_undefined_resamples_are_counted_and_noted_when_many():
    draws = np.concatenate([np.linspace(0.3, 0.7, 95), np.full(5, np.nan)])
    fine = intervals.interval_resampled(0.5, draws, 20, 0.9)
    assert (fine["undefined"], fine["note"]) == (5, "")
    assert fine["low"] < 0.5 < fine["high"]
    assert intervals.interval_resampled(0.5, np.append(draws, np.nan), 20, 0.9)["note"] == TOO_FEW
    assert intervals.interval_resampled(0.5, draws, 19, 0.9)["note"] == TOO_FEW
    nothing = intervals.interval_resampled(np.nan, np.full(50, np.nan), 30, 0.9)
    assert (nothing["value"], nothing["low"], nothing["note"]) == (None, None, TOO_FEW)


def cover(tables, question, truth, unit):
    measures = [
        intervals.measure_auc(read_scored(table.assign(patient_id=table[unit], fold=0), question), 0.95)
        for table in tables
    ]
    return np.mean([measure["low"] <= truth <= measure["high"] for measure in measures])


def test_intervals_over_patients_cover_the_truth_and_those_over_images_do_not(make_predictions, question):
    # Ten images per patient share a label and half of the score's variance: images are far from independent.
    tables = [make_predictions(patients=60, each=10, seed=seed, gap=1.0) for seed in range(150)]
    truth = norm.cdf(1.0 / 2.0)
    assert 0.9 <= cover(tables, question, truth, "patient_id") <= 0.99
    assert cover(tables, question, truth, "sample_id") < 0.8


def test_the_interval_of_macro_f1_covers_the_truth_with_few_positives(make_predictions, question, evaluation):
    # The network never says malignant: its F1 of malignant is 0, but nobody knows that of ten patients for certain.
    table = make_predictions(patients=60)
    table = table[(table["target"] == 0) | table["patient_id"].isin([f"p{row}" for row in range(1, 21, 2)])]
    never = table.assign(p_benign=0.9, p_malignant=0.1)
    measured = measure_predictions(never, question, evaluation)["cnn"]
    assert measured["f1"]["value"] == 0
    assert measured["macro_f1"]["high"] > measured["macro_f1"]["value"] + 0.1


def test_a_mean_of_shares_that_rise_together_is_less_certain_than_of_independent_ones():
    parts = [intervals.interval_share(np.full(50, share), np.ones(50), 0.95) for share in (0.7, 0.8)]
    widths = []
    for r in (-0.5, 0.0, 0.5, 1.0):
        mean = intervals.interval_mean_of(parts, np.array([[1, r], [r, 1]]))
        widths.append(mean["high"] - mean["low"])
    assert widths == sorted(widths)
    alone = intervals.interval_mean_of(parts)
    assert alone["high"] - alone["low"] == widths[1]
    assert widths[3] == pytest.approx(np.mean([part["high"] - part["low"] for part in parts]))


def test_correlations_of_shares_are_over_patients():
    first = np.array([1.0, 0.0, 1.0, 0.0])
    found = intervals.correlate_shares(np.stack([first, first, 1 - first, np.zeros(4)]), np.ones((4, 4)))
    assert found[0].tolist() == pytest.approx([1, 1, -1, 1])
    assert found[3].tolist() == [1, 1, 1, 1]


def test_a_difference_of_areas_stays_between_minus_one_and_one():
    few = intervals.interval_difference(0.23, np.linspace(-0.5, 0.9, 50), 4, 0.95, 3)
    assert (few["low"], few["high"]) == (-1, 1)
    many = intervals.interval_difference(0.23, np.linspace(0.2, 0.3, 50), 100, 0.95, 3)
    assert 0 < many["low"] < 0.23 < many["high"] < 1
