"""Calibration before and after, side by side."""

import pytest

from mammoscan.figures.calibration import draw_calibration
from mammoscan.figures.style import PHANTOM_STAMP


def fill(places):
    return [
        {
            "from": place,
            "to": place + 0.1,
            "samples": 5,
            "predicted": place + 0.05,
            "observed": place,
            "low": 0.1,
            "high": 0.9,
        }
        for place in places
    ]


BEFORE, AFTER = fill([0.0, 0.3, 0.9]), fill([0.4, 0.5])


@pytest.mark.parametrize("sides", [(BEFORE, AFTER), ([], AFTER)], ids=["filled", "empty"])
def test_its_words_do_not_collide_and_it_is_stamped(sides, find_collisions, read_texts):
    figure = draw_calibration(*sides, PHANTOM_STAMP, positive="malignant")
    assert find_collisions(figure) == []
    assert PHANTOM_STAMP in read_texts(figure)


def test_each_side_draws_its_own_bins():
    left, right = draw_calibration(BEFORE, AFTER, "").axes
    for axes, bins in ((left, BEFORE), (right, AFTER)):
        line = axes.lines[-1]
        assert list(line.get_xdata()) == [each["predicted"] for each in bins]
        assert list(line.get_ydata()) == [each["observed"] for each in bins]


def test_without_samples_it_says_so(read_texts):
    assert "No samples to measure it on." in read_texts(draw_calibration([], [], ""))
