import numpy as np
import pytest

from mammoscan.evaluation.bootstrap import draw_weights


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
