import numpy as np
import pytest

from baselines.spatial.aagd import AAGD


@pytest.mark.parametrize("level", [60.0, -15.0])
def test_single_pixel_by_hand(level):
    image = np.full((21, 21), 20.0)
    image[10, 10] += level
    score = AAGD(scales=(3,), window=5).score(image)
    assert score[10, 10] == pytest.approx((level / 9) ** 2)
    assert score[10, 12] == pytest.approx((level / 16) ** 2)
    assert score[10, 13] == pytest.approx(0, abs=1e-20)


def test_mirrors_at_the_border():
    # The corner pixel counts four times in its cell and never in the rest of the window.
    image = np.full((21, 21), 20.0)
    image[0, 0] += 90.0
    assert AAGD(scales=(3,), window=5).score(image)[0, 0] == pytest.approx((4 / 9 * 90) ** 2)


def test_largest_over_scales():
    image = np.random.default_rng(0).uniform(0, 255, (40, 50))
    single = [AAGD(scales=(side,)).score(image) for side in (3, 5, 7, 9)]
    np.testing.assert_array_equal(AAGD().score(image), np.max(single, axis=0))


def test_constant_levels_that_do_not_sum_exactly():
    for level in (0.1, 33.3, 254.7):
        assert not AAGD().score(np.full((20, 30), level)).any()
