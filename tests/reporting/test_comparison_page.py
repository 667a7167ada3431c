import re

import numpy as np
import pandas as pd
import pytest

from mammoscan.figures.compared_runs import average_folds, draw_compared_roc, draw_compared_training
from mammoscan.figures.style import PHANTOM_STAMP, render_png
from mammoscan.reporting.comparison_page import build_comparison, list_differences
from mammoscan.reporting.render import say

AUC = {"value": 0.7, "low": 0.6, "high": 0.8}
PAIR = {"first": "A", "second": "B", "samples": 35, "patients": 27, "a": AUC, "b": {"value": 0.6}}
NEAR = PAIR | {"value": 0.1, "low": -0.05, "high": 0.2}


def make_run(name, seed, data="real"):
    return {
        "name": name,
        "id": name * 32,
        "started": "21 November 2026, 07:22 UTC",
        "study": "mias",
        "protocol": "patient",
        "data": data,
        "data_fingerprint": "0" * 64,
        "command": "kedro run --pipeline mias",
        "commit": "",
        "labels": ["benign", "malignant"],
        "positive": "malignant",
        "parameters": {"training.seed": str(seed), "training.epochs": "3"},
        "metrics": {"auc": AUC, "patients": 27, "brier": {"value": None}},
        "curves": {"loss": {"fold_0": [[1, 0.7], [2, 0.6]], "fold_1": [[1, 0.5]]}, "val_loss": {}},
    }


@pytest.fixture
def runs():
    return [make_run("A", 0), make_run("B", 1)]


@pytest.fixture
def predictions():
    shares = np.linspace(0, 1, 20)
    table = pd.DataFrame(
        {"label": ["benign", "malignant"] * 10, "p_benign": 1 - shares, "p_malignant": shares}
    )
    return pd.concat([table.assign(run=name) for name in "AB"])


def build(runs, predictions, pairs):
    figures = {
        "roc": render_png(draw_compared_roc(runs, predictions, "")),
        "training": render_png(draw_compared_training(runs, "")),
    }
    return build_comparison(runs, pairs, figures, 0.95)


def test_the_page_needs_nothing_but_itself_and_holds_all_parts(runs, predictions):
    page = build(runs, predictions, [NEAR])
    assert "2 runs side by side" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    for words in (
        "No difference that could be told from chance.",
        "0.10",
        "[-0.05, 0.20]",
        "35 samples",
        "0.70",
        "training.seed",
    ):
        assert words in page
    assert "training.epochs" not in page
    assert page.count("data:image/png") == 2
    assert "PHANTOM" not in page
    runs[1]["data"] = "phantom"
    assert PHANTOM_STAMP in build(runs, predictions, [NEAR])


def test_equal_runs_have_no_parameter_that_differs(runs, predictions):
    runs[1]["parameters"] = dict(runs[0]["parameters"])
    assert "None: the runs were asked for the same." in build(runs, predictions, [NEAR])


def test_a_parameter_that_only_one_run_has_differs(runs):
    runs[0]["parameters"]["crop.size"] = "48"
    rows = list_differences(runs)
    assert rows == [
        {"name": "crop.size", "cells": ["48", "–"]},
        {"name": "training.seed", "cells": ["0", "1"]},
    ]


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (PAIR | {"why": "they share no sample"}, "Not compared: they share no sample."),
        (
            PAIR | {"value": 0.1, "low": 0.02, "high": 0.2},
            "A ranks better than B, by more than chance explains.",
        ),
        (
            PAIR | {"value": -0.1, "low": -0.2, "high": -0.02},
            "B ranks better than A, by more than chance explains.",
        ),
        (NEAR, "No difference that could be told from chance."),
        (PAIR | {"value": 0.1, "low": None, "high": None, "note": ""}, "Too few patients for an interval."),
    ],
)
def test_a_pair_is_judged_by_its_interval(pair, words):
    assert say("pair", pair) == words


def test_runs_that_share_nothing_say_so_on_the_page(runs, predictions):
    page = build(runs, predictions, [{"first": "A", "second": "B", "why": "they are on different images"}])
    assert "Not compared: they are on different images." in page


def test_many_pairs_come_with_a_warning():
    assert say("many_pairs", 1, 0.95) == ""
    assert "6 pairs were compared. Of so many, about 0.3 " in say("many_pairs", 6, 0.95)


def test_the_mean_of_the_folds_goes_on_with_those_still_trained():
    epochs, values = average_folds({"fold_0": [[1, 0.7], [2, 0.6]], "fold_1": [[1, 0.5]]})
    assert epochs.tolist() == [1, 2]
    assert values == pytest.approx([0.6, 0.6])


def test_curves_of_runs_that_cannot_be_drawn_are_left_out(runs, predictions):
    one_sided = predictions.assign(label="benign")
    assert len(draw_compared_roc(runs, one_sided, "").axes[0].lines) == 1
    for run in runs:
        run["curves"] = {"loss": {}, "val_loss": {}}
    [axes] = draw_compared_training(runs, PHANTOM_STAMP).axes
    assert axes.texts[0].get_text() == "No run logged its epochs."
