import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from baselines.hvs.wslcm import WSLCM


def single(y=15, x=17, level=230.0):
    image = np.full((31, 33), 50.0)
    image[y, x] = level
    return image


def test_single_pixel_by_hand():
    # T = 70, m = 57.2, r = 12.8 in each cell with the pixel, 0 in the others; cores
    # are 95, 72.5 and 61.25.
    contrast = np.array([[13.78125, 32.625, 13.78125]] * 3)
    contrast[1] = [32.625, 85.5, 32.625]
    expected = np.zeros((31, 33))
    expected[14:17, 16:19] = 12.8**2 / 5 * contrast
    score = WSLCM(sides=(5,)).score(single())
    np.testing.assert_allclose(score, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("floor, spread", [(1.0, 6.4 / 8**0.5), (5.0, 5.0)])
def test_unlike_neighbours_by_hand(floor, spread):
    image = single()
    image[15, 21] = 140.0  # one neighbour has T = 60, m = 53.6, r = 6.4; seven have 0
    expected = 12.8 * (12.8 - 6.4) / spread * (95**2 / 60 - 95)
    score = WSLCM(sides=(5,), floor=floor).score(image)
    np.testing.assert_allclose(score[15, 17], expected, rtol=1e-10, atol=0)


def test_a_neighbour_as_peaked_suppresses():
    image = single()
    image[15, 21] = 230.0
    image[13:18, 15:20] += 30  # brighter than its neighbour, but no more peaked
    assert WSLCM(sides=(5,)).score(image)[15, 17] == 0


@pytest.mark.parametrize("y, x", [(0, 0), (30, 32)])
def test_single_pixel_in_a_corner_is_lost(y, x):
    # The cell mean sees copies of the pixel beyond the border, the largest pixels do not.
    assert (WSLCM().score(single(y, x)) == 0).all()


def test_largest_of_the_sides_counts():
    image = gaussian_filter(np.random.default_rng(0).uniform(0, 255, (120, 130)), 1.5)
    alone = [WSLCM(sides=(side,)).score(image) for side in (5, 7, 9, 11)]
    np.testing.assert_array_equal(WSLCM().score(image), np.max(alone, axis=0))
    assert all((score == WSLCM().score(image)).mean() < 1 for score in alone)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 9), (40, 1)])
def test_small_flat_images_are_flat(shape):
    assert (WSLCM().score(np.full(shape, 0.1)) == 0).all()
