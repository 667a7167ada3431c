import numpy as np
import pytest
from PIL import Image

from mammoscan.errors import MammoscanError
from mammoscan.imaging.crops import crop_radius, cut_window, cut_windows


@pytest.fixture
def scan():
    return np.random.default_rng(1).integers(1, 256, (120, 120), dtype=np.uint8)


def test_a_window_is_centred_on_the_edge_that_its_place_names(scan):
    np.testing.assert_array_equal(cut_window(scan, 50, 40, 8), scan[46:54, 36:44])


def test_a_window_of_a_smaller_grid_takes_its_place_in_scan_pixels(scan):
    np.testing.assert_array_equal(cut_window(scan, 200, 160, 8, scale=0.25), scan[46:54, 36:44])


def test_a_window_starts_at_the_nearest_grid_line_and_halves_go_up(scan):
    starts = {49.4: 45, 49.5: 46, 50.4: 46, 50.5: 47, 51.5: 48}
    for row, start in starts.items():
        np.testing.assert_array_equal(cut_window(scan, row, 60, 8), scan[start : start + 8, 56:64])
    np.testing.assert_array_equal(cut_window(scan, 50, 60, 7), scan[47:54, 57:64])


def test_a_window_over_the_border_is_padded_with_0_and_not_shifted(scan):
    window = cut_window(scan, 1, 118, 10)
    np.testing.assert_array_equal(window[4:, :7], scan[:6, 113:])
    assert not window[:4].any()
    assert not window[:, 7:].any()


def test_a_window_far_outside_is_all_0(scan):
    assert not cut_window(scan, -500, 500, 10).any()


def test_a_window_larger_than_the_grid_holds_all_of_it(scan):
    window = cut_window(scan, 60, 60, 200)
    np.testing.assert_array_equal(window[40:160, 40:160], scan)
    assert window.sum() == scan.sum()


def test_a_window_is_a_copy(scan):
    before = scan.copy()
    cut_window(scan, 60, 60, 8)[:] = 0
    np.testing.assert_array_equal(scan, before)


def test_many_windows_equal_the_windows_one_by_one_with_and_without_channels(scan):
    rows, columns = [4, 200, 333.3], [410, 77, 8]
    for grid in (scan, np.stack([scan, scan[::-1]], axis=2)):
        windows = cut_windows(grid, rows, columns, 12, scale=0.3)
        assert windows.shape == (3, 12, 12, *grid.shape[2:])
        for window, row, column in zip(windows, rows, columns, strict=True):
            np.testing.assert_array_equal(window, cut_window(grid, row, column, 12, scale=0.3))


@pytest.mark.parametrize("radius", [1, 3, 24, 33, 48, 60, 90, 197])
@pytest.mark.parametrize(("row", "column"), [(60, 60), (0, 0), (119, 30), (2, 118), (-20, 60)])
def test_the_articles_crop_equals_pillows_to_the_byte(scan, row, column, radius):
    box = (column - radius, row - radius, column + radius, row + radius)
    expected = Image.fromarray(scan).crop(box).resize((48, 48))
    np.testing.assert_array_equal(crop_radius(scan, row, column, radius, 48), np.asarray(expected))


def test_fractions_are_rounded_as_pillow_rounds_them(scan):
    box = (50.5 - 10.25, 60.5 - 10.25, 50.5 + 10.25, 60.5 + 10.25)
    expected = Image.fromarray(scan).crop(box).resize((16, 16))
    np.testing.assert_array_equal(crop_radius(scan, 60.5, 50.5, 10.25, 16), np.asarray(expected))


def test_a_crop_reads_a_memory_map_like_an_array(scan, tmp_path):
    scan.tofile(tmp_path / "scan.raw")
    mapped = np.memmap(tmp_path / "scan.raw", np.uint8, "r", 0, scan.shape)
    found = crop_radius(mapped, 60, 50, 20, 48)
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, crop_radius(scan, 60, 50, 20, 48))


def test_a_crop_without_area_is_refused(scan):
    with pytest.raises(MammoscanError, match="row 60, column 50: found radius 0, expected at least 1"):
        crop_radius(scan, 60, 50, 0, 48)
