import numpy as np
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.imaging.contact_sheet import frame_image, mark_circle, mark_outline, paint_colour, tile_images


def test_images_are_laid_row_by_row_with_gaps():
    images = np.stack([np.full((2, 3), value, np.uint8) for value in (1, 2, 3)])
    sheet = tile_images(images, columns=2, gap=1, background=9)
    np.testing.assert_array_equal(
        sheet,
        [
            [9, 9, 9, 9, 9, 9, 9, 9, 9],
            [9, 1, 1, 1, 9, 2, 2, 2, 9],
            [9, 1, 1, 1, 9, 2, 2, 2, 9],
            [9, 9, 9, 9, 9, 9, 9, 9, 9],
            [9, 3, 3, 3, 9, 9, 9, 9, 9],
            [9, 3, 3, 3, 9, 9, 9, 9, 9],
            [9, 9, 9, 9, 9, 9, 9, 9, 9],
        ],
    )


def test_a_sheet_is_no_wider_than_its_images():
    assert tile_images(np.zeros((2, 4, 4, 1), np.uint8), columns=10, gap=0).shape == (4, 8)


def test_smaller_images_are_centred_in_their_cell():
    sheet = tile_images([np.zeros((4, 4), np.uint8), np.full((2, 2), 7, np.uint8)], 2, 0, 1)
    np.testing.assert_array_equal(sheet[:, 4:], np.pad(np.full((2, 2), 7), 1, constant_values=1))


def test_one_coloured_image_makes_the_sheet_coloured():
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 200
    sheet = tile_images([np.full((2, 2, 1), 5, np.uint8), red], 2, 0)
    assert sheet.shape == (2, 4, 3)
    assert sheet[0, 0].tolist() == [5, 5, 5]
    assert sheet[0, 3].tolist() == [200, 0, 0]


@pytest.mark.parametrize(("count", "columns"), [(0, 3), (2, 0)])
def test_nothing_to_lay_is_refused(count, columns):
    with pytest.raises(MammoscanError, match=f"found {count} images in {columns} columns"):
        tile_images([np.zeros((2, 2), np.uint8)] * count, columns)


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 1), (40, 50, 3)])
def test_a_ring_is_drawn_at_its_radius_and_nowhere_else(shape):
    image = np.full(shape, 30, np.uint8)
    marked = mark_circle(image, 20, 25, 10, colour=(255, 0, 0), width=2)
    assert marked.shape == (40, 50, 3)
    red = (marked == (255, 0, 0)).all(axis=2)
    rows, columns = np.nonzero(red)
    distances = np.hypot(rows + 0.5 - 20, columns + 0.5 - 25)
    assert distances.min() >= 9
    assert distances.max() <= 11
    assert red.sum() == pytest.approx(2 * np.pi * 10 * 2, rel=0.1)
    assert (marked[~red] == 30).all()
    assert (image == 30).all()


def test_a_ring_around_a_place_outside_is_cut_at_the_border():
    marked = mark_circle(np.zeros((30, 30), np.uint8), -5, 15, 10, colour=(1, 2, 3))
    assert (marked[5] == (1, 2, 3)).all(axis=1).any()
    assert not marked[8:].any()


def test_an_outline_is_the_inner_edge_of_the_mask():
    mask = np.zeros((8, 8), bool)
    mask[2:6, 0:5] = True
    marked = mark_outline(np.zeros((8, 8), np.uint8), mask, colour=(0, 255, 0))
    expected = mask.copy()
    expected[3:5, 1:4] = False
    np.testing.assert_array_equal((marked == (0, 255, 0)).all(axis=2), expected)


def test_a_frame_goes_around_the_image():
    framed = frame_image(np.full((3, 4), 8, np.uint8), (1, 2, 3), width=2)
    assert framed.shape == (7, 8, 3)
    assert (framed[2:5, 2:6] == 8).all()
    assert (framed[:2] == (1, 2, 3)).all()
    assert (framed[:, -2:] == (1, 2, 3)).all()


def test_painting_returns_a_copy():
    image = np.zeros((2, 2, 3), np.uint8)
    paint_colour(image)[:] = 9
    assert not image.any()
