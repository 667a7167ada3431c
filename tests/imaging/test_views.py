import itertools

import numpy as np
import pytest
from PIL import Image, ImageOps

from mammoscan.errors import MammoscanError
from mammoscan.imaging.views import AUTHOR_VIEWS, N_VIEWS, compose_views, invert_view, make_view, make_views

VIEWS = range(N_VIEWS)
PAIRS = list(itertools.product(VIEWS, VIEWS))


@pytest.fixture
def image():
    return np.random.default_rng(3).integers(0, 256, (5, 5), dtype=np.uint8)


def test_view_0_is_the_image_itself(image):
    np.testing.assert_array_equal(make_view(image, 0), image)


def test_all_eight_views_of_an_asymmetric_image_are_distinct(image):
    assert len({make_view(image, k).tobytes() for k in VIEWS}) == N_VIEWS


def test_view_1_turns_counter_clockwise_and_view_4_mirrors_left_right():
    image = np.array([[1, 2], [3, 4]], np.uint8)
    np.testing.assert_array_equal(make_view(image, 1), [[2, 4], [1, 3]])
    np.testing.assert_array_equal(make_view(image, 4), [[2, 1], [4, 3]])


@pytest.mark.parametrize(("first", "then"), PAIRS)
def test_two_views_in_a_row_are_the_composed_view(image, first, then):
    k = compose_views(first, then)
    assert k in VIEWS
    np.testing.assert_array_equal(make_view(make_view(image, first), then), make_view(image, k))


@pytest.mark.parametrize("k", VIEWS)
def test_view_0_changes_no_view_and_the_inverse_leads_back(image, k):
    assert compose_views(0, k) == compose_views(k, 0) == k
    assert compose_views(k, invert_view(k)) == compose_views(invert_view(k), k) == 0
    np.testing.assert_array_equal(make_view(make_view(image, k), invert_view(k)), image)


def test_composing_is_associative():
    for a, b, c in itertools.product(VIEWS, VIEWS, VIEWS):
        assert compose_views(compose_views(a, b), c) == compose_views(a, compose_views(b, c))


@pytest.mark.parametrize("shape", [(3, 6, 6), (3, 6, 6, 1), (3, 6, 6, 3), (0, 6, 6, 1)])
def test_a_batch_of_views_equals_the_views_one_by_one(shape):
    images = np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)
    batch = make_views(images)
    assert batch.shape == (shape[0], N_VIEWS, *shape[1:])
    assert batch.dtype == np.uint8
    for image, views in zip(images, batch, strict=True):
        for k in VIEWS:
            np.testing.assert_array_equal(views[k], make_view(image, k))


def test_the_twelve_names_give_the_pixels_of_the_articles_pillow_calls(image):
    names = dict(AUTHOR_VIEWS)
    assert len(names) == len(AUTHOR_VIEWS) == 12
    for angle in (0, 90, 180, 270):
        rotated = Image.fromarray(image).rotate(angle)
        made = {"rotated": rotated, "mirr_lr": ImageOps.mirror(rotated), "mirr_tp": ImageOps.flip(rotated)}
        for suffix, expected in made.items():
            found = make_view(image, names[f"{angle}_{suffix}"])
            np.testing.assert_array_equal(found, np.asarray(expected), err_msg=f"{angle}_{suffix}")


def test_the_twelve_hold_eight_distinct_views():
    assert sorted({k for _, k in AUTHOR_VIEWS}) == list(VIEWS)


def test_an_image_that_is_not_square_is_refused():
    with pytest.raises(MammoscanError, match="4 x 6 pixels, expected a square one"):
        make_view(np.zeros((4, 6)), 1)
    with pytest.raises(MammoscanError, match="4 x 6 pixels, expected a square one"):
        make_views(np.zeros((2, 4, 6, 1)))


@pytest.mark.parametrize("k", [-1, 8])
def test_a_view_that_does_not_exist_is_refused(image, k):
    for call in (lambda: make_view(image, k), lambda: invert_view(k), lambda: compose_views(0, k)):
        with pytest.raises(MammoscanError, match=f"found index {k}, expected 0 to 7"):
            call()
