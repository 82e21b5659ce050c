import numpy as np
import pytest

from baselines.hvs.lcm import LCM


def test_one_pixel_by_hand():
    image = np.full((31, 31), 10.0)
    image[15, 15] = 28.0
    score = LCM(sides=(3,)).score(image)
    assert score[15, 15] == pytest.approx(28**2 / 10, rel=1e-12)
    assert score[16, 14] == pytest.approx(28**2 / 10, rel=1e-12)  # its cell holds the pixel
    assert score[15, 17] == pytest.approx(10**2 / 12, rel=1e-12)  # a neighbour holds it
    assert LCM().score(image)[15, 17] == pytest.approx(28**2 / 10, rel=1e-12)  # a cell of 5 does


def test_a_flat_image_gives_itself():
    np.testing.assert_allclose(LCM().score(np.full((9, 40), 37.0)), 37.0, rtol=1e-14, atol=0)


def test_follows_the_gain():
    image = np.random.default_rng(0).uniform(0, 80, (40, 50))
    np.testing.assert_allclose(LCM().score(3 * image), 3 * LCM().score(image), rtol=1e-12, atol=0)


def test_zero_where_all_neighbours_are_black():
    image = np.zeros((41, 41))
    image[20, 20] = 200.0
    assert LCM().score(image).max() == 0


def test_a_target_in_the_corner_is_its_own_neighbour():
    image = np.full((41, 41), 10.0)
    image[0, 0] = 30.0  # fills the diagonal neighbour, which lies outside
    assert LCM(sides=(3,)).score(image)[0, 0] == pytest.approx(30.0, rel=1e-12)
