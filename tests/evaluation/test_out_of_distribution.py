"""What looks like the training images, and what does not."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from mammoscan.evaluation.out_of_distribution import (
    describe_levels,
    fit_reference,
    floor_levels,
    measure_distance,
    measure_flagged_shares,
    share_per_distance,
)
from mammoscan.params import EvaluationParams


def draw_features(count: int, seed: int, columns: int = 40) -> np.ndarray:
    """Draw values that lie near a plane of three directions, as a network's features do."""
    directions = np.random.default_rng(99).normal(size=(3, columns))
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 3)) @ directions + 0.3 * rng.normal(size=(count, columns))


def test_new_images_of_the_same_kind_are_in_distribution_about_as_often_as_the_share_says() -> None:
    fitted = fit_reference(draw_features(150, 0), np.arange(150), 0.95)
    flagged = measure_distance(draw_features(2000, 1), fitted) > fitted["limit"]
    assert 0.02 < flagged.mean() < 0.12


def test_what_leaves_the_plane_is_out_of_distribution_even_at_the_same_distance_from_the_middle() -> None:
    values = draw_features(150, 0)
    fitted = fit_reference(values, np.arange(150), 0.99)
    rng = np.random.default_rng(2)
    aside = rng.normal(size=(50, values.shape[1])) * values.std(axis=0)
    assert (measure_distance(aside, fitted) > fitted["limit"]).all()


def test_a_patient_does_not_vouch_for_itself() -> None:
    """Copies of one patient's image are near each other, and nothing else is near them."""
    values = np.repeat(draw_features(20, 0), 10, axis=0)
    images, patients = np.arange(200), np.arange(200) // 10
    apart, together = (fit_reference(values, units, 0.95)["limit"] for units in (images, patients))
    assert together > 1.5 * apart


def test_a_column_that_never_moved_makes_no_giants_and_few_images_are_enough() -> None:
    values = np.concatenate([draw_features(12, 0), np.zeros((12, 1))], axis=1)
    fitted = fit_reference(values, np.arange(12), 0.9)
    assert np.isfinite(measure_distance(values + 0.01, fitted)).all()
    assert measure_distance(values + 0.001, fitted).max() < 1.2 * max(
        measure_distance(values, fitted).max(), 1
    )
    alone = fit_reference(np.zeros((4, 3)), ["a"] * 4, 0.9)
    assert measure_distance(np.zeros((1, 3)), alone)[0] == 0


def test_what_was_fitted_survives_json() -> None:
    values = draw_features(50, 0)
    fitted = fit_reference(values, np.arange(50), 0.9)
    again = json.loads(json.dumps(fitted))
    np.testing.assert_array_equal(measure_distance(values, again), measure_distance(values, fitted))


@pytest.mark.parametrize("channels", [1, 3])
def test_levels_are_told_in_simple_statistics(channels: int) -> None:
    pixels = np.zeros((2, 4, 4, channels), np.uint8)
    pixels[1, :, ::2] = 255
    found = describe_levels(pixels)
    assert found.shape == (2, len(floor_levels(channels)))
    black, striped = found
    np.testing.assert_allclose(black, [0] * (2 * channels) + [1, 0, 0])
    np.testing.assert_allclose(striped, [127.5] * (2 * channels) + [0.5, 0.5, 255 / 2])


def test_both_distances_share_what_is_allowed() -> None:
    assert share_per_distance(0.98) == pytest.approx(0.99)


def test_flagged_images_are_counted_with_an_interval_over_patients() -> None:
    table = pd.DataFrame(
        {
            "patient_id": np.repeat(np.arange(20), 4),
            "shown": "as it is",
            "out_of_distribution": np.repeat(np.arange(20) < 2, 4),
        }
    )
    table = pd.concat([table, table.assign(shown="noise", out_of_distribution=True)])
    evaluation = EvaluationParams(resamples=200, metadata_columns=())
    found = measure_flagged_shares(table, evaluation)
    assert found["as it is"]["value"] == pytest.approx(0.1)
    assert found["as it is"]["samples"] == 80
    # Eight images of two patients are two patients: an interval over images would end below 0.19.
    assert found["as it is"]["high"] > 0.2
    assert 0.7 < found["noise"]["low"] < found["noise"]["high"] == 1
