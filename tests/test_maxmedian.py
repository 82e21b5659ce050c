import numpy as np
import pytest

from baselines.spatial.maxmedian import MaxMedian


@pytest.mark.parametrize("place", [(4, 4), (0, 0), (0, 4)])
def test_single_pixel_by_hand(place):
    # Mirrored with its edge pixel, a corner counts twice on a line of 5, not three times.
    image = np.full((9, 9), 20.0)
    image[place] = 50.0
    expected = np.zeros((9, 9))
    expected[place] = 30.0
    np.testing.assert_array_equal(MaxMedian().score(image), expected)


@pytest.mark.parametrize("side, length, left", [(2, 5, 50.0), (3, 5, 0.0), (3, 7, 50.0)])
def test_keeps_squares_less_than_half_a_line_wide(side, length, left):
    image = np.full((21, 21), 10.0)
    image[8 : 8 + side, 8 : 8 + side] = 60.0
    assert MaxMedian(length=length).score(image)[8, 8] == left


@pytest.mark.parametrize("down, right", [(0, 1), (1, 0), (1, 1), (1, -1)])
def test_predicts_thin_lines_in_each_direction(down, right):
    image = np.full((21, 21), 10.0)
    for t in range(-10, 11):
        image[10 + t * down, 10 + t * right] = 60.0
    assert not MaxMedian().score(image)[2:-2, 2:-2].any()
