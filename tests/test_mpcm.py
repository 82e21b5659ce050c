import numpy as np
import pytest

from baselines.hvs.mpcm import MPCM


def test_square_target_by_hand():
    image = np.full((41, 41), 50.0)
    image[19:22, 19:22] = 80.0  # fills a cell of side 3; the means of larger cells are lower
    score = MPCM().score(image)
    assert score[20, 20] == 30.0**2
    assert MPCM(sides=(5,)).score(image)[20, 20] == pytest.approx((30 * 9 / 25) ** 2, rel=1e-12)


def test_dark_targets_count_as_bright_ones():
    image = np.random.default_rng(0).integers(0, 256, (40, 50)).astype(float)
    np.testing.assert_allclose(MPCM().score(255 - image), MPCM().score(image), rtol=0, atol=1e-8)


@pytest.mark.parametrize("stripe", [np.s_[:, 20:], np.s_[:, 20:23], np.s_[30:31, :]])
def test_edges_and_lines_are_rejected(stripe):
    image = np.full((60, 50), 40.0)
    image[stripe] = 200.0
    assert MPCM().score(image).max() == 0


def test_a_broken_level_is_flat():
    assert MPCM().score(np.full((31, 45), 0.1)).max() == 0


def test_square_of_the_gain():
    image = np.random.default_rng(1).uniform(50, 60, (40, 50))
    np.testing.assert_allclose(
        MPCM().score(3 * image + 40), 9 * MPCM().score(image), rtol=0, atol=1e-9
    )
