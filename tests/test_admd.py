import numpy as np
import pytest

from baselines.spatial.admd import ADMD


def test_square_target_by_hand():
    # Shares of the target in a 3x3 cell and in the fullest cell 3 pixels away.
    image = np.full((21, 21), 40.0)
    image[9:12, 9:12] += 90.0
    score = ADMD(scales=(3,)).score(image)
    assert score[10, 10] == pytest.approx(90.0**2)
    assert score[10, 11] == pytest.approx((6 / 9 * 90 - 3 / 9 * 90) ** 2)
    assert score[11, 11] == pytest.approx((4 / 9 * 90 - 2 / 9 * 90) ** 2)


def test_edges_have_a_neighbour_as_bright():
    step = np.zeros((60, 60))
    step[:, 30:] = 100.0
    slope = 100.0 * np.tri(60)
    for image in (step, step.T, slope, slope[::-1]):
        assert not ADMD().score(image)[18:-18, 18:-18].any()


def test_dark_spots_have_none():
    image = np.full((40, 40), 100.0)
    image[18:21, 18:21] = 20.0
    assert not ADMD().score(image).any()


def test_largest_over_scales():
    image = np.random.default_rng(0).uniform(0, 255, (40, 50))
    single = [ADMD(scales=(side,)).score(image) for side in (3, 5, 7, 9)]
    np.testing.assert_array_equal(ADMD().score(image), np.max(single, axis=0))


def test_pixels_without_neighbours_have_none():
    # In 10x10 pixels the cells 9 away from the inner pixels are all outside.
    image = np.full((10, 10), 20.0)
    image[5, 5] = 50.0
    assert not ADMD(scales=(9,)).score(image)[1:9, 1:9].any()
