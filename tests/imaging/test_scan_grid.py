import numpy as np
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.imaging.breast_mask import find_breast
from mammoscan.imaging.scan_grid import prepare_scan, shrink_scan, standardise_scan
from mammoscan.params import ScanGridParams


def test_shrinking_averages_areas():
    scan = np.array([[0, 10, 100, 100], [20, 30, 100, 100], [1, 1, 7, 9], [1, 1, 9, 7]], np.uint8)
    np.testing.assert_array_equal(shrink_scan(scan, 2), [[15, 100], [1, 8]])


def test_shrinking_by_a_fraction_keeps_the_mean():
    scan = np.random.default_rng(0).integers(0, 256, (1024, 1024), dtype=np.uint8)
    small = shrink_scan(scan, 192)
    assert small.shape == (192, 192)
    assert small.mean() == pytest.approx(scan.mean(), abs=0.6)


def test_a_scan_that_is_not_square_is_refused():
    with pytest.raises(MammoscanError, match="10 x 20 pixels, expected a square grey one"):
        shrink_scan(np.zeros((10, 20), np.uint8), 8)


def test_standardising_is_32_levels_a_deviation_around_128_over_the_mask():
    rng = np.random.default_rng(2)
    small = rng.integers(0, 256, (40, 40), dtype=np.uint8)
    mask = rng.random((40, 40)) < 0.4
    scores = (small - small[mask].mean()) / small[mask].std()
    expected = np.clip(np.round(scores * 32 + 128), 0, 255)
    found = standardise_scan(small, mask)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)


def test_what_is_too_bright_or_dark_for_a_byte_is_cut_off():
    small = np.full((20, 20), 100, np.uint8)
    small[::2] = 102
    small[0, 0], small[0, 1] = 0, 255
    mask = np.ones((20, 20), bool)
    mask[0, :2] = False
    assert standardise_scan(small, mask)[0, :2].tolist() == [0, 255]


def test_brightness_and_contrast_of_the_film_leave_the_grid_as_it_is(draw_scan):
    scan, mask = draw_scan()
    dull = np.round(scan / 2 + 40).astype(np.uint8)
    difference = standardise_scan(scan, mask)[mask].astype(int) - standardise_scan(dull, mask)[mask]
    assert np.abs(difference).max() <= 2


def test_a_breast_of_one_grey_level_is_128_everywhere():
    assert (standardise_scan(np.full((4, 4), 9, np.uint8), np.ones((4, 4), bool)) == 128).all()


def test_without_a_breast_the_whole_scan_counts():
    small = np.random.default_rng(4).integers(0, 256, (9, 9), dtype=np.uint8)
    empty = np.zeros((9, 9), bool)
    np.testing.assert_array_equal(standardise_scan(small, empty), standardise_scan(small, ~empty))


def test_preparing_grows_the_mask_by_the_margin_and_standardises_over_that(draw_scan):
    scan, _ = draw_scan(size=512)
    small = shrink_scan(scan, 96)
    mask = find_breast(small)
    grid, grown = prepare_scan(scan, ScanGridParams(size=96, margin=3))
    assert grid.shape == grown.shape == (96, 96)
    window = np.lib.stride_tricks.sliding_window_view(np.pad(mask, 3), (7, 7))
    np.testing.assert_array_equal(grown, window.any(axis=(2, 3)))
    np.testing.assert_array_equal(grid, standardise_scan(small, grown))


def test_no_margin_leaves_the_mask_as_found(draw_scan):
    scan, _ = draw_scan(size=512)
    _, mask = prepare_scan(scan, ScanGridParams(size=96, margin=0))
    np.testing.assert_array_equal(mask, find_breast(shrink_scan(scan, 96)))


def test_an_empty_scan_has_an_empty_mask():
    grid, mask = prepare_scan(np.zeros((256, 256), np.uint8), ScanGridParams(size=64, margin=2))
    assert not mask.any()
    assert (grid == 128).all()
