import numpy as np
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.imaging.breast_coordinates import draw_matched_places, locate_in_breast, place_in_breast

SCALE = 192 / 1024


def lie_inside(mask, places, scale=1.0):
    rows, columns = np.floor(places * scale).astype(int).T
    return mask[rows, columns].all()


def test_corners_of_a_rectangular_breast():
    mask = np.zeros((100, 100), bool)
    mask[20:70, 0:40] = True
    assert locate_in_breast(mask, 20, 0) == (0, 0)
    assert locate_in_breast(mask, 45, 40) == (1, 0.5)
    assert locate_in_breast(mask, 70, 20) == (0.5, 1)


def test_the_depth_is_a_share_of_the_width_at_that_row(draw_mask):
    mask = draw_mask()
    for row in (40, 96, 150):
        columns = np.flatnonzero(mask[row])
        u, _ = locate_in_breast(mask, row + 0.5, columns[0] + 0.25 * len(columns))
        assert u == pytest.approx(0.25)


def test_a_place_is_the_same_in_the_mirrored_scan(draw_mask):
    mask = draw_mask()
    for row, column in ((60, 40), (100.5, 70.25), (140, 25)):
        mirrored = locate_in_breast(mask[:, ::-1], row, 192 - column)
        assert locate_in_breast(mask, row, column) == pytest.approx(mirrored)


def test_a_place_outside_takes_the_nearest_row_and_leaves_0_to_1(draw_mask):
    mask = draw_mask()
    u, v = locate_in_breast(mask, 0, 21)
    assert v < 0
    assert 0 < u < 2
    assert locate_in_breast(mask, 191, 21)[1] > 1
    assert locate_in_breast(mask, 96, 190)[0] > 1
    assert locate_in_breast(mask, 96, 2)[0] < 0


def test_a_row_without_breast_inside_its_extent_borrows_the_row_above():
    mask = np.zeros((30, 30), bool)
    mask[5:25, 0:10] = True
    mask[15] = False
    assert locate_in_breast(mask, 15.5, 5) == (0.5, 0.525)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("scale", [1.0, SCALE])
def test_placing_undoes_locating(draw_mask, side, scale):
    mask = draw_mask(side=side)
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 192, (200, 2)).astype(float)
    for row, column in np.concatenate([whole, rng.uniform(0, 192, (200, 2))]) / scale:
        u, v = locate_in_breast(mask, row, column, scale)
        assert place_in_breast(mask, u, v, scale) == pytest.approx((row, column))


def test_an_empty_mask_is_refused():
    with pytest.raises(MammoscanError, match="found no breast, expected at least one pixel"):
        locate_in_breast(np.zeros((9, 9), bool), 1, 1)


@pytest.fixture
def references():
    rng = np.random.default_rng(8)
    return np.column_stack([rng.beta(4, 3, 120), rng.beta(5, 4, 120)])


@pytest.mark.parametrize("side", ["left", "right"])
def test_drawn_places_lie_in_the_breast_and_apart(draw_mask, references, side):
    mask = draw_mask(side=side)
    for seed in range(30):
        places = draw_matched_places(mask, references, 3, np.random.default_rng(seed), 128, SCALE)
        assert places.shape == (3, 2)
        assert lie_inside(mask, places, SCALE)
        gaps = [np.hypot(*(places[a] - places[b])) for a, b in ((0, 1), (0, 2), (1, 2))]
        assert min(gaps) >= 128


@pytest.mark.slow
def test_drawn_places_are_distributed_as_the_references_are(draw_mask, references):
    mask = draw_mask(side="right")
    rng = np.random.default_rng(0)
    places = np.concatenate([draw_matched_places(mask, references, 1, rng, jitter=0.7) for _ in range(2000)])
    drawn = np.array([locate_in_breast(mask, row, column) for row, column in places])
    np.testing.assert_allclose(drawn.mean(axis=0), references.mean(axis=0), atol=0.012)
    np.testing.assert_allclose(drawn.std(axis=0), references.std(axis=0), atol=0.012)
    # A plain draw over the breast would be far from them.
    assert abs(drawn[:, 0].mean() - 0.5) > 0.05


def test_the_same_generator_draws_the_same_places(draw_mask, references):
    mask = draw_mask()
    one, same, other = (
        draw_matched_places(mask, references, 4, np.random.default_rng(seed), 20) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_where_there_is_no_room_the_distance_gives_way(draw_mask, references):
    places = draw_matched_places(draw_mask(), references, 5, np.random.default_rng(0), 1000)
    assert lie_inside(draw_mask(), places)
    assert len(np.unique(places, axis=0)) == 5


def test_a_single_reference_is_met_every_time(draw_mask):
    mask = draw_mask()
    places = draw_matched_places(mask, np.array([[0.3, 0.6]]), 2, np.random.default_rng(0), 50)
    np.testing.assert_allclose(places, [place_in_breast(mask, 0.3, 0.6)] * 2)


def test_a_reference_outside_its_breast_is_left_out(draw_mask):
    mask = draw_mask()
    references = np.array([[0.3, 0.6], [1.4, 0.1]])
    places = draw_matched_places(mask, references, 2, np.random.default_rng(0))
    np.testing.assert_allclose(places, [place_in_breast(mask, 0.3, 0.6)] * 2)
    with pytest.raises(MammoscanError, match="no reference inside a breast among 1 places"):
        draw_matched_places(mask, references[1:], 2, np.random.default_rng(0))


def test_a_mask_in_which_no_reference_lands_still_gets_its_places():
    ring = np.ones((40, 40), bool)
    ring[3:-3, 3:-3] = False
    places = draw_matched_places(ring, np.array([[0.5, 0.5]]), 3, np.random.default_rng(0), 10)
    assert lie_inside(ring, places)
