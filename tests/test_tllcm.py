import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from baselines.hvs.tllcm import TLLCM
from istsbench.threshold import MeanToPeak


@pytest.mark.parametrize("sides", [(5,), (9,), (5, 7, 9)])
def test_single_pixel_by_hand(sides):
    image = np.full((31, 33), 50.0)
    image[14, 20] = 210.0
    expected = np.zeros((31, 33))
    # Cores are 90, 70 and 60, all neighbour cells 50.
    expected[13:16, 19:22] = [[12, 28, 12], [28, 72, 28], [12, 28, 12]]
    np.testing.assert_allclose(TLLCM(sides=sides).score(image), expected, rtol=0, atol=1e-10)


def test_reserve_does_not_count():
    image = np.full((31, 31), 50.0)
    image[15, 15] = 210.0
    before = TLLCM(sides=(5,)).score(image)[15, 15]
    image[13:18, [13, 17]] = 200.0
    image[[13, 17], 13:18] = 200.0
    assert TLLCM(sides=(5,)).score(image)[15, 15] == before
    image[15, 18] = 140.0  # the nearest pixel of a neighbour: its cell has 60
    np.testing.assert_allclose(
        TLLCM(sides=(5,)).score(image)[15, 15], 90**2 / 60 - 90, rtol=1e-12, atol=0
    )


def test_largest_of_the_sides_counts():
    image = gaussian_filter(np.random.default_rng(0).uniform(0, 255, (120, 130)), 1.5)
    alone = [TLLCM(sides=(side,)).score(image) for side in (5, 7, 9)]
    np.testing.assert_array_equal(TLLCM().score(image), np.max(alone, axis=0))
    assert all((score == TLLCM().score(image)).mean() < 1 for score in alone)


def test_needs_cells_of_as_many_pixels_as_are_averaged():
    with pytest.raises(ValueError, match="expected 1 to 9 for a side of 3"):
        TLLCM(sides=(3,), largest=10).score(np.eye(20))


def test_rule_by_hand():
    score = np.array([[0.0, 4.0], [6.0, 10.0]])
    assert MeanToPeak(0.7).level(score) == pytest.approx(0.7 * 10 + 0.3 * 5, rel=1e-12)
    assert TLLCM.threshold == MeanToPeak(0.7)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 9), (40, 1)])
def test_small_flat_images_are_flat(shape):
    assert (TLLCM().score(np.full(shape, 0.1)) == 0).all()
