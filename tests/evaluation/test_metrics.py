import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from mammoscan.errors import MammoscanError
from mammoscan.evaluation.intervals import TOO_FEW
from mammoscan.evaluation.metrics import measure_predictions, measure_subgroups
from mammoscan.evaluation.predictions import read_scored
from mammoscan.evaluation.weighted_metrics import build_measures
from mammoscan.params import EvaluationParams, ThresholdParams


@pytest.fixture
def weights():
    rng = np.random.default_rng(5)
    drawn = rng.multinomial(40, [1 / 40] * 40, size=12).astype(float)
    return np.vstack([np.ones(40), drawn])


def test_measures_from_weights_equal_scikit_learns_on_replicated_data(make_predictions, question, weights):
    table = make_predictions(digits=1)
    scored = read_scored(table, question)
    found = build_measures(scored, 0.5)(weights)
    for index, row in enumerate(weights):
        times = row[scored.patients].astype(int)
        y = np.repeat(scored.is_positive.astype(int), times)
        p = np.repeat(scored.score, times)
        decided = (p >= 0.5).astype(int)
        expected = {
            "auc_pooled": sk.roc_auc_score(y, p),
            "average_precision": sk.average_precision_score(y, p),
            "accuracy": sk.accuracy_score(y, decided),
            "balanced_accuracy": sk.balanced_accuracy_score(y, decided),
            "sensitivity": sk.recall_score(y, decided),
            "specificity": sk.recall_score(y, decided, pos_label=0),
            "precision": sk.precision_score(y, decided),
            "f1": sk.f1_score(y, decided),
            "macro_f1": sk.f1_score(y, decided, average="macro"),
            "brier": sk.brier_score_loss(y, p),
            "log_loss": sk.log_loss(y, p),
        }
        assert {name: found[name][index] for name in expected} == pytest.approx(expected, abs=1e-12)
        fold = np.repeat(scored.folds, times)
        parts = [(y[fold == k], p[fold == k]) for k in (0, 1)]
        pairs = [part[0].sum() * (1 - part[0]).sum() for part in parts]
        within = np.average([sk.roc_auc_score(*part) for part in parts], weights=pairs)
        assert found["auc"][index] == pytest.approx(within)


@pytest.fixture
def three_way(make_predictions):
    rng = np.random.default_rng(7)
    table = make_predictions(each=6)
    labels = np.array(["benign", "malignant", "normal"])[rng.integers(0, 3, len(table))]
    raw = rng.random((len(table), 3)) + 0.4 * (labels[:, None] == ["benign", "malignant", "normal"])
    p = raw / raw.sum(axis=1, keepdims=True)
    return table.assign(label=labels, p_benign=p[:, 0], p_malignant=p[:, 1], p_normal=p[:, 2])


def test_three_labels_are_measured_as_scikit_learn_does(three_way, three_labels, weights):
    scored = read_scored(three_way, three_labels)
    found = build_measures(scored, 0.5)(weights)
    for index, row in enumerate(weights):
        times = row[scored.patients].astype(int)
        y, p = np.repeat(scored.truth, times), np.repeat(scored.probabilities, times, axis=0)
        decided = p.argmax(axis=1)
        recalls = sk.recall_score(y, decided, average=None)
        expected = {
            "auc_pooled": sk.roc_auc_score(y == 1, p[:, 1]),
            "average_precision": sk.average_precision_score(y == 1, p[:, 1]),
            "accuracy": sk.accuracy_score(y, decided),
            "balanced_accuracy": recalls.mean(),
            "sensitivity": recalls[1],
            "specificity": ((y != 1) & (decided != 1)).sum() / (y != 1).sum(),
            "macro_f1": sk.f1_score(y, decided, average="macro"),
            "brier": ((p - np.eye(3)[y]) ** 2).sum(axis=1).mean(),
            "log_loss": sk.log_loss(y, p),
        }
        for k, label in enumerate(("benign", "malignant", "normal")):
            expected[f"recall_{label}"] = recalls[k]
            expected[f"precision_{label}"] = sk.precision_score(y, decided, average=None)[k]
        fold = np.repeat(scored.folds, times)
        areas = np.zeros(3)
        for label in range(3):
            parts = [(y[fold == k] == label, p[fold == k, label]) for k in (0, 1)]
            pairs = [part[0].sum() * (~part[0]).sum() for part in parts]
            areas[label] = np.average([sk.roc_auc_score(*part) for part in parts], weights=pairs)
        expected |= {"auc": areas[1], "auc_macro": areas.mean()}
        assert {name: found[name][index] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_each_model_gets_intervals_counts_and_fold_values(make_predictions, question, evaluation):
    table = make_predictions()
    both = pd.concat([table.assign(model="texture"), table], ignore_index=True)
    measured = measure_predictions(both, question, evaluation)
    assert list(measured) == ["cnn", "texture"]
    assert measured["cnn"] == measured["texture"]
    cnn = measured["cnn"]
    assert cnn["auc"]["low"] < cnn["auc"]["value"] < cnn["auc"]["high"]
    assert (cnn["samples"], cnn["patients"]) == (200, 40)
    assert cnn["labels"]["malignant"] == {"samples": 100, "patients": 20}
    folds = [sk.roc_auc_score(part["target"], part["p_malignant"]) for _, part in table.groupby("fold")]
    assert list(cnn["fold_auc"]["values"].values()) == pytest.approx(folds)
    assert cnn["fold_auc"]["mean"] == pytest.approx(np.mean(folds))
    assert cnn["fold_auc"]["spread"] == pytest.approx(np.std(folds, ddof=1))
    json.dumps(measured, allow_nan=False)


def test_the_seed_decides_and_the_level_widens(make_predictions, question):
    def measure(**changes):
        params = EvaluationParams(metadata_columns=(), resamples=300).model_copy(update=changes)
        return measure_predictions(make_predictions(), question, params)["cnn"]["average_precision"]

    assert measure() == measure()
    assert measure() != measure(seed=1)
    assert measure(level=0.99)["low"] < measure(level=0.8)["low"]


def test_order_of_rows_does_not_matter(make_predictions, question, evaluation):
    table = make_predictions()
    shuffled = table.sample(frac=1, random_state=0)
    first, second = (measure_predictions(t, question, evaluation)["cnn"] for t in (table, shuffled))
    for name in ("auc", "auc_pooled", "average_precision", "sensitivity", "brier"):
        for key in ("value", "low", "high"):
            assert second[name][key] == pytest.approx(first[name][key], abs=1e-12)


def test_constant_probabilities_score_exactly_half(make_predictions, question, evaluation):
    table = make_predictions().assign(p_benign=0.6, p_malignant=0.4)
    cnn = measure_predictions(table, question, evaluation)["cnn"]
    assert [cnn["auc"][key] for key in ("value", "low", "high")] == [0.5, 0.5, 0.5]
    assert cnn["precision"]["value"] is None
    assert cnn["precision"]["note"] == TOO_FEW
    assert cnn["sensitivity"]["value"] == 0


def test_the_threshold_moves_sensitivity_against_specificity(make_predictions, question, evaluation):
    low, high = (
        measure_predictions(
            make_predictions(), question, evaluation.model_copy(update={"threshold": ThresholdParams(at=t)})
        )["cnn"]
        for t in (0.2, 0.8)
    )
    assert low["sensitivity"]["value"] > high["sensitivity"]["value"]
    assert low["specificity"]["value"] < high["specificity"]["value"]
    assert low["auc"] == high["auc"]


def test_four_patients_a_class_are_too_few(make_predictions, question, evaluation):
    few = measure_predictions(make_predictions(patients=8), question, evaluation)["cnn"]
    assert few["auc"]["note"] == TOO_FEW
    assert few["auc"]["value"] is not None


def test_subgroups_are_measured_each_by_itself(make_predictions, question, evaluation):
    table = make_predictions(patients=60)
    samples = pd.DataFrame({"sample_id": table["sample_id"], "tissue": np.where(table.index < 150, "F", "D")})
    samples.loc[samples.index[-5:], "tissue"] = "G"
    found = measure_subgroups(table, samples[::-1], question, evaluation)
    cells = found[found["metric"] == "auc"].set_index("subgroup")
    assert set(found["by"]) == {"tissue"}
    parts = [part for _, part in table[:150].groupby("fold")]
    areas = [sk.roc_auc_score(part["target"], part["p_malignant"]) for part in parts]
    pairs = [part["target"].sum() * (1 - part["target"]).sum() for part in parts]
    assert cells.loc["F", "value"] == pytest.approx(np.average(areas, weights=pairs))
    assert cells.loc["F", "patients"] == 30
    assert cells.loc["F", "note"] == ""
    # One patient has one label: there is no AUC, and it says so.
    assert np.isnan(cells.loc["G", "value"])
    assert cells.loc["G", "note"] == TOO_FEW


def test_a_prediction_of_no_sample_is_refused(make_predictions, question, evaluation):
    table = make_predictions()
    samples = table[["sample_id"]].assign(tissue="F").drop(index=3)
    with pytest.raises(MammoscanError, match="s3 is not among the 199 samples"):
        measure_subgroups(table, samples, question, evaluation)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"p_malignant": float("nan")}, "expected finite numbers"),
        ({"p_malignant": 3.0}, "expected finite numbers that sum to 1"),
        ({"label": "odd"}, "label 'odd'"),
    ],
)
def test_predictions_that_are_none_are_refused(make_predictions, question, evaluation, change, match):
    with pytest.raises(MammoscanError, match=match):
        measure_predictions(make_predictions().assign(**change), question, evaluation)


def test_a_missing_column_and_model_are_named(make_predictions, question):
    with pytest.raises(MammoscanError, match="no column p_malignant"):
        read_scored(make_predictions().drop(columns="p_malignant"), question)
    with pytest.raises(MammoscanError, match="no rows of model 'forest'"):
        read_scored(make_predictions(), question, "forest")
