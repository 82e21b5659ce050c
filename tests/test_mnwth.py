import numpy as np
import pytest

from baselines.spatial.mnwth import MNWTH


@pytest.mark.parametrize("side, left", [(1, 60.0), (8, 60.0), (9, 60.0), (10, 0.0)])
def test_keeps_what_fits_into_the_hole(side, left):
    image = np.full((51, 51), 10.0)
    image[20 : 20 + side, 20 : 20 + side] = 70.0
    expected = np.zeros((51, 51))
    expected[20 : 20 + side, 20 : 20 + side] = left
    np.testing.assert_array_equal(MNWTH().score(image), expected)


def test_odd_squares_from_hole_to_ring_give_one_map():
    image = np.random.default_rng(0).uniform(0, 255, (40, 50))
    score = MNWTH(outer=5, inner=1, square=3).score(image)
    assert score.any()
    for square in (5, 7, 9, 11):
        np.testing.assert_array_equal(MNWTH(outer=5, inner=1, square=square).score(image), score)


def test_ignores_positions_whose_ring_is_empty():
    # From the middle of 8x8 pixels no pixel lies beyond the hole; the others tell the background.
    image = np.full((8, 8), 20.0)
    image[4, 4] = 50.0
    expected = np.zeros((8, 8))
    expected[4, 4] = 30.0
    np.testing.assert_array_equal(MNWTH().score(image), expected)


def test_no_surroundings_no_response():
    image = np.full((5, 5), 20.0)
    image[2, 2] = 50.0
    assert not MNWTH().score(image).any()
