import numpy as np
import pytest
from scipy.stats import norm

from mammoscan.evaluation.bootstrap import TOO_FEW, draw_weights, resample_measures, summarise_draws
from mammoscan.evaluation.predictions import read_scored
from mammoscan.evaluation.weighted_metrics import build_auc


def test_weights_are_counts_of_patients_drawn_with_replacement():
    weights = np.concatenate(list(draw_weights(30, 500, seed=1, chunk=500)))
    assert weights.shape == (500, 30)
    assert (weights.sum(axis=1) == 30).all()
    assert (weights == np.rint(weights)).all()
    assert weights.mean() == 1
    # A multinomial count of 30 draws on 30 patients.
    assert weights.var() == pytest.approx(29 / 30, abs=0.03)


def test_the_chunk_does_not_change_the_draw_and_the_seed_does():
    whole, parts, other = (
        np.concatenate(list(draw_weights(7, 100, seed, chunk)))
        for seed, chunk in ((3, 100), (3, 9), (4, 100))
    )
    np.testing.assert_array_equal(whole, parts)
    assert not np.array_equal(whole, other)


def test_undefined_resamples_are_left_out_counted_and_flagged_when_many():
    draws = np.concatenate([np.linspace(0, 1, 95), np.full(5, np.nan)])
    fine = summarise_draws(0.5, draws, 0.9, fewest=20)
    assert fine["undefined"] == 5
    assert fine["note"] == ""
    assert fine["low"] == pytest.approx(0.05)
    assert fine["high"] == pytest.approx(0.95)
    assert summarise_draws(0.5, np.append(draws, np.nan), 0.9, fewest=20)["note"] == TOO_FEW


def test_few_patients_of_a_class_are_flagged_and_the_undefined_is_none():
    draws = np.linspace(0, 1, 50)
    assert summarise_draws(0.5, draws, 0.95, fewest=20)["note"] == ""
    assert summarise_draws(0.5, draws, 0.95, fewest=19)["note"] == TOO_FEW
    nothing = summarise_draws(np.nan, np.full(50, np.nan), 0.95, fewest=30)
    assert (nothing["value"], nothing["low"], nothing["high"], nothing["note"]) == (None, None, None, TOO_FEW)


def cover(tables, question, truth, unit):
    inside = 0
    for table in tables:
        scored = read_scored(table.assign(patient_id=table[unit]), question)
        values, draws = resample_measures(build_auc(scored), scored.n_patients, len(table), 200, seed=0)
        interval = summarise_draws(values["auc"], draws["auc"], 0.95, 20)
        inside += interval["low"] <= truth <= interval["high"]
    return inside / len(tables)


@pytest.mark.slow
def test_intervals_over_patients_cover_the_truth_and_those_over_images_do_not(make_predictions, question):
    # Ten images a patient share a label and half of the score's variance: images are far from independent.
    tables = [make_predictions(patients=60, each=10, seed=seed, gap=1.0) for seed in range(150)]
    truth = norm.cdf(1.0 / 2.0)
    assert 0.89 <= cover(tables, question, truth, "patient_id") <= 0.99
    assert cover(tables, question, truth, "sample_id") < 0.8
