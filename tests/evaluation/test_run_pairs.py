import pandas as pd
import pytest

from mammoscan.evaluation.comparison import compare_pairs
from mammoscan.params import CompareParams

RUN = {"labels": ["benign", "malignant"], "positive": "malignant", "data_fingerprint": "f"}


@pytest.fixture
def compare_two(make_predictions):
    """Compare a good and a useless run, after changing what is known of the second."""

    def run(change=None, second=None):
        good, useless = make_predictions(gap=3.0), make_predictions(gap=0.0, seed=1)
        tables = {"A": good, "B": useless if second is None else second(useless)}
        predictions = pd.concat([table.assign(run=name) for name, table in tables.items()])
        runs = [{"name": "A", **RUN}, {"name": "B", **RUN, **(change or {})}]
        [pair] = compare_pairs(runs, predictions, CompareParams(resamples=200))
        return pair

    return run


def test_a_better_run_is_found_beyond_chance_on_the_shared_samples(compare_two):
    pair = compare_two(second=lambda table: table.iloc[:150])
    assert (pair["first"], pair["second"]) == ("A", "B")
    assert pair["samples"] == 150
    assert pair["low"] > 0
    assert pair["value"] == pytest.approx(pair["a"]["value"] - pair["b"]["value"])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"data_fingerprint": "g"}, "they are on different images"),
        ({"positive": "benign"}, "they answer different questions"),
        ({"labels": ["normal", "malignant"]}, "they answer different questions"),
    ],
)
def test_runs_of_other_images_or_questions_are_not_compared(compare_two, change, why):
    assert compare_two(change) == {"first": "A", "second": "B", "why": why}


def test_runs_without_a_shared_sample_say_so(compare_two):
    pair = compare_two(second=lambda table: table.assign(sample_id="other " + table["sample_id"]))
    assert pair["why"].startswith("the two tables share no sample")


def test_three_runs_make_three_pairs(make_predictions):
    runs = [{"name": name, **RUN} for name in "ABC"]
    predictions = pd.concat([make_predictions(seed=k).assign(run=name) for k, name in enumerate("ABC")])
    pairs = compare_pairs(runs, predictions, CompareParams(resamples=20))
    assert [(pair["first"], pair["second"]) for pair in pairs] == [("A", "B"), ("A", "C"), ("B", "C")]
