import numpy as np
import pytest

from baselines.hvs.rlcm import RLCM


@pytest.mark.parametrize("y, x", [(16, 15), (0, 0), (30, 12)])
def test_single_pixel_by_hand(y, x):
    image = np.full((31, 31), 50.0)
    image[y, x] = 250.0
    expected = np.zeros((31, 31))
    # The pair (2, 4) is the largest: A = (250 + 50) / 2 in each cell with the pixel, B = 50.
    expected[max(0, y - 4) : y + 5, max(0, x - 4) : x + 5] = 150**2 / 50 - 150
    np.testing.assert_allclose(RLCM().score(image), expected, rtol=0, atol=1e-10)


def test_first_of_a_pair_is_for_the_centre():
    image = np.full((40, 40), 50.0)
    image[20, 20:22] = 250.0
    score = RLCM(pairs=((2, 4),)).score(image)
    np.testing.assert_allclose(score[20, 20], 250**2 / 50 - 250, rtol=1e-12, atol=0)
    image[20:22, 31] = 90.0  # two of a neighbour's four largest
    score = RLCM(pairs=((2, 4),)).score(image)
    np.testing.assert_allclose(score[20, 20], 250**2 / 70 - 250, rtol=1e-12, atol=0)


def test_largest_of_the_pairs_counts():
    image = np.random.default_rng(0).uniform(20, 200, (40, 50))
    pairs = RLCM().pairs
    alone = [RLCM(pairs=(pair,)).score(image) for pair in pairs]
    np.testing.assert_array_equal(RLCM().score(image), np.max(alone, axis=0))
    assert all((score == RLCM().score(image)).mean() < 1 for score in alone)


def test_follows_gain():
    image = np.random.default_rng(1).uniform(20, 60, (40, 50))
    score = RLCM().score(image)
    np.testing.assert_allclose(RLCM().score(4 * image), 4 * score, rtol=0, atol=1e-10)


def test_target_on_black_is_lost():
    image = np.zeros((40, 40))
    image[20, 20] = 200.0
    assert (RLCM().score(image) == 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 9), (40, 1)])
def test_small_flat_images_are_flat(shape):
    assert (RLCM().score(np.full(shape, 0.1)) == 0).all()
