"""What a person reads of a run in MLflow."""

from __future__ import annotations

import pytest

from mammoscan.params import Recipe
from mammoscan.tracking.flatten import flatten_metrics, format_intervals, list_fold_auc
from mammoscan.tracking.headline import (
    describe_headline,
    describe_recipe,
    link_curves,
    write_description,
)


def measure(value: float | None) -> dict[str, float | None]:
    return {"value": value, "low": None if value is None else value - 0.1, "high": 0.8}


METRICS = {
    "cnn": {
        "auc": measure(0.7),
        "samples": 100,
        "patients": 80,
        "labels": {"benign": {"samples": 60}},
        "fold_auc": {"values": {"fold_0": 0.6, "fold_1": None}, "mean": 0.6},
    },
    "majority": {"auc": measure(0.5)},
    "texture": {"auc": measure(0.6), "f1": measure(0.1)},
}


def test_the_columns_are_text_with_the_interval_and_the_best_baseline() -> None:
    assert describe_headline(METRICS, "real") == {
        "auc_within_folds": "0.70 [0.60, 0.80]",
        "patients": "80",
        "baseline": "texture 0.60 [0.50, 0.80]",
    }


def test_a_phantoms_run_says_so_in_the_list_and_on_its_page() -> None:
    columns = describe_headline(METRICS, "phantom")
    assert columns["auc_within_folds"] == "PHANTOM 0.70 [0.60, 0.80]"
    page = write_description(
        "abc", "phantom", columns, {}, ["report.html", "confusion_matrix.png", "roc.png"]
    )
    assert page.startswith("**PHANTOM")
    assert "No number here says anything about patients" in page
    assert "AUC within folds PHANTOM 0.70 [0.60, 0.80] on 80 patients; best baseline: texture" in page
    assert "report.html" in page
    assert "![roc.png](get-artifact?path=roc.png&run_uuid=abc)" in page


def test_the_curves_of_all_trainings_are_one_link_away() -> None:
    link = link_curves("7", ["abc", "def"])
    assert "#/metric?runs=%5B%22abc%22%2C%20%22def%22%5D&" in link
    assert link in write_description("abc", "real", {}, {}, ["report.html"], link)
    assert link_curves("7", []) == ""


def test_a_run_of_variants_lists_them() -> None:
    page = write_description("abc", "real", {}, {"without any": "0.70 [0.60, 0.80]"}, [])
    assert "| without any | 0.70 [0.60, 0.80] |" in page
    assert "PHANTOM" not in page


def test_what_is_not_defined_is_said_to_be() -> None:
    columns = describe_headline({"cnn": {"auc": measure(None), "patients": 3}}, None)
    assert columns == {"auc_within_folds": "not defined", "patients": "3"}


@pytest.mark.parametrize("network", [{"name": "small_cnn"}, {"name": "mobilenet", "weights": "imagenet"}])
def test_a_recipe_is_told_in_a_few_words(network: dict[str, str]) -> None:
    name = " ".join([network["name"], *(["(imagenet)"] if "weights" in network else [])])
    recipe = Recipe(network=network, epochs=9, learning_rate=0.0005)
    assert describe_recipe(recipe) == f"{name}, adam 0.0005, batches of 32, at most 9 epochs"


def test_the_networks_measures_have_plain_names_and_a_baseline_its_auc() -> None:
    assert flatten_metrics(METRICS) == {
        "auc": 0.7,
        "samples": 100.0,
        "patients": 80.0,
        "fold_auc": 0.6,
        "majority_auc": 0.5,
        "texture_auc": 0.6,
    }


def test_intervals_are_text_and_no_metrics() -> None:
    assert format_intervals(METRICS) == "auc [0.60, 0.80]"


def test_labels_called_low_and_high_are_no_interval() -> None:
    of_labels = {label: {"value": 0.5, "low": 0.4, "high": 0.6} for label in ("low", "middle", "high")}
    assert format_intervals({"cnn": {"recall": of_labels}}) == ""


def test_a_folds_auc_is_left_out_where_it_is_not_defined() -> None:
    assert list_fold_auc(METRICS) == {"fold_0": 0.6}


def test_what_is_no_number_is_left_out() -> None:
    doubtful = {"auc": {"value": None, "low": float("nan"), "high": None}, "positive": "x", "ok": True}
    assert flatten_metrics({"cnn": doubtful}) == {}
