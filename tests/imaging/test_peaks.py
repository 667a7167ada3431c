import numpy as np
import pytest

from mammoscan.imaging.peaks import pick_peaks


@pytest.fixture
def hills():
    """Two hills and a lower one on the slope of the first; a row apart is 8."""
    values = np.full((9, 9), 0.1)
    values[2, 2], values[2, 3], values[3, 3] = 0.9, 0.85, 0.8
    values[7, 6] = 0.7
    values[0, :] = np.nan
    return values, np.arange(9) * 8, np.arange(9) * 8


def test_a_slope_of_a_higher_peak_is_no_peak(hills):
    assert pick_peaks(*hills, distance=24, limit=2) == [(2, 2), (7, 6)]


def test_what_is_far_enough_is_a_peak_of_its_own(hills):
    assert pick_peaks(*hills, distance=8, limit=3) == [(2, 2), (2, 3), (3, 3)]


def test_places_that_are_none_are_never_picked(hills):
    values, rows, columns = hills
    values[1:] = np.nan
    assert pick_peaks(values, rows, columns, 24, 5) == []
    values[5, 5] = 0.0
    assert pick_peaks(values, rows, columns, 24, 5) == [(5, 5)]


def test_places_are_apart_by_what_their_rows_and_columns_say():
    values = np.array([[0.5, 0.6, 0.4]])
    assert pick_peaks(values, np.array([0]), np.array([0, 100, 110]), 50, 5) == [(0, 1), (0, 0)]
