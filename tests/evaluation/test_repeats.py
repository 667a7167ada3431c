import pandas as pd

from mammoscan.evaluation.intervals import measure_auc
from mammoscan.evaluation.predictions import read_scored
from mammoscan.evaluation.repeats import measure_repeats


def test_the_spreads_over_patients_splits_and_seeds_are_told_apart(make_predictions, question, evaluation):
    own = make_predictions()
    others = pd.concat(
        make_predictions(gap=gap).assign(varied=varied, repeat=number)
        for varied, gaps in (("split", (0.5, 1.5)), ("seed", (0.9, 1.1)))
        for number, gap in enumerate(gaps, 1)
    )
    measured = measure_repeats(own, others, question, evaluation)
    assert measured["auc"] == measure_auc(read_scored(own, question), 0.95)
    assert len(measured["split"]["values"]) == len(measured["seed"]["values"]) == 2
    assert measured["split"]["spread"] > measured["seed"]["spread"] > 0
    assert 0.03 < measured["patients"] < 0.15


def test_without_repeats_only_the_patients_spread_is_known(make_predictions, question, evaluation):
    own = make_predictions()
    measured = measure_repeats(own, own.assign(varied="split", repeat=1).iloc[:0], question, evaluation)
    assert (measured["split"]["spread"], measured["seed"]["spread"]) == (None, None)
    assert measured["patients"] > 0
