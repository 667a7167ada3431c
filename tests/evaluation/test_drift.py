"""Two tests on different patients, and their difference."""

from __future__ import annotations

import numpy as np
import pytest

from mammoscan.evaluation.comparison import subtract_measures


def test_the_difference_of_equal_symmetric_intervals_is_wider_by_the_root_of_two() -> None:
    one = {"value": 0.8, "low": 0.7, "high": 0.9}
    other = {"value": 0.6, "low": 0.5, "high": 0.7}
    found = subtract_measures(one, other)
    half = 0.1 * np.sqrt(2)
    assert found == pytest.approx({"value": 0.2, "low": 0.2 - half, "high": 0.2 + half})


def test_each_end_takes_the_ends_that_face_it() -> None:
    found = subtract_measures(
        {"value": 0.9, "low": 0.6, "high": 0.95}, {"value": 0.7, "low": 0.68, "high": 0.8}
    )
    assert found["low"] == pytest.approx(0.2 - np.hypot(0.3, 0.1))
    assert found["high"] == pytest.approx(0.2 + np.hypot(0.05, 0.02))


def test_the_interval_covers_the_true_difference_of_two_shares() -> None:
    from mammoscan.evaluation.intervals import interval_share

    rng = np.random.default_rng(0)
    covered = []
    for _ in range(400):
        measures = [
            interval_share(rng.binomial(1, share, count), np.ones(count), 0.95)
            for share, count in ((0.7, 80), (0.85, 120))
        ]
        found = subtract_measures(*measures)
        covered.append(found["low"] <= -0.15 <= found["high"])
    assert 0.93 <= np.mean(covered) <= 0.98


@pytest.mark.parametrize("missing", ["value", "low"])
def test_what_is_not_defined_has_no_difference_or_no_interval(missing: str) -> None:
    whole = {"value": 0.8, "low": 0.7, "high": 0.9}
    found = subtract_measures(whole, whole | {missing: None})
    assert (found["value"] is None) == (missing == "value")
    assert found["high"] is None
