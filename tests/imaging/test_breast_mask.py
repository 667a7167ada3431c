import numpy as np
import pytest

from mammoscan.imaging.breast_mask import find_breast, find_side


def overlap(found, expected):
    return (found & expected).sum() / (found | expected).sum()


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("fog", [1, 6, 20])
@pytest.mark.parametrize("tissue", [90, 130, 200])
def test_the_breast_is_found_without_label_tape_and_border(draw_scan, side, fog, tissue):
    scan, breast = draw_scan(side=side, fog=fog, tissue=tissue)
    found = find_breast(scan)
    assert overlap(found, breast) > 0.97
    assert not (found & (scan >= 250) & ~breast).any()


@pytest.mark.parametrize("shape", [(96, 96), (512, 512), (1024, 1024), (400, 300)])
def test_the_mask_has_the_scans_shape_whatever_its_size(draw_scan, shape):
    scan, breast = draw_scan(size=max(shape))
    found = find_breast(scan[:, : shape[1]])
    assert found.shape == shape
    assert found.dtype == bool
    assert overlap(found, breast[:, : shape[1]]) > 0.94


def test_the_dim_rim_belongs_to_the_breast(draw_scan, draw_mask):
    scan, breast = draw_scan()
    rim = breast & ~np.roll(breast, -8, axis=1) & ~draw_mask()[:, ::-1]
    scan = np.where(rim, 40, scan).astype(np.uint8)
    assert (find_breast(scan) & rim).sum() > 0.95 * rim.sum()


def test_a_dark_hole_in_the_breast_is_filled(draw_scan):
    scan, _ = draw_scan()
    scan[90:102, 50:62] = 0
    assert find_breast(scan)[90:102, 50:62].all()


@pytest.mark.parametrize("grey", [0, 77, 255])
def test_a_scan_of_one_grey_level_holds_no_breast(grey):
    assert not find_breast(np.full((64, 64), grey, np.uint8)).any()


def test_specks_alone_are_no_breast():
    scan = np.zeros((192, 192), np.uint8)
    scan[::40, ::40] = 200
    assert not find_breast(scan).any()


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_side_is_that_of_the_chest_wall(draw_scan, side):
    assert find_side(find_breast(draw_scan(side=side)[0])) == side


@pytest.mark.parametrize(("side", "flip"), [("left", 1), ("right", -1)])
def test_a_large_breast_cut_off_by_the_far_border_keeps_its_side(side, flip):
    rows, columns = np.mgrid[:96, :96]
    corner_gone = rows + (95 - columns) < 20
    fold = (rows - 60) > columns
    mask = ~corner_gone & ~fold
    assert find_side(mask[:, ::flip]) == side


def test_an_empty_mask_counts_as_left():
    assert find_side(np.zeros((8, 8), bool)) == "left"
