import numpy as np
import pytest

from baselines.spatial.maxmean import MaxMean


@pytest.mark.parametrize("place, left", [((4, 4), 24.0), ((0, 4), 18.0), ((0, 0), 18.0)])
def test_single_pixel_by_hand(place, left):
    # 30 less its share of the mean: 1/5 inside, 2/5 where the line is mirrored on the pixel.
    image = np.full((9, 9), 20.0)
    image[place] = 50.0
    expected = np.zeros((9, 9))
    expected[place] = left
    np.testing.assert_allclose(MaxMean().score(image), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("down, right", [(0, 1), (1, 0), (1, 1), (1, -1)])
def test_predicts_thin_lines_in_each_direction(down, right):
    image = np.full((21, 21), 10.0)
    for t in range(-10, 11):
        image[10 + t * down, 10 + t * right] = 60.0
    assert not MaxMean().score(image)[2:-2, 2:-2].any()


def test_constant_levels_that_do_not_sum_exactly():
    for level in (0.1, 33.3, 254.7):
        assert not MaxMean(length=7).score(np.full((20, 30), level)).any()
