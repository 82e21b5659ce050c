import numpy as np
import pytest

from baselines.spatial.nwie import NWIE
from istsbench.threshold import MeanToPeak


def test_one_pixel_on_black_has_no_entropy():
    image = np.zeros((21, 21))
    image[10, 10] = 200.0
    assert not NWIE().score(image).any()


def test_two_equal_pixels_have_one_bit():
    image = np.zeros((21, 21))
    image[10, 10:12] = 90.0
    score = NWIE().score(image)
    assert score[10, 10] == pytest.approx((2 / 9 * 90 - 2 / 49 * 90) ** 2)
    assert score[10, 8] == pytest.approx(0, abs=1e-12)  # the entropy window holds one of them


def test_formula_term_by_term():
    image = np.round(np.random.default_rng(0).uniform(0, 255, (12, 15)))
    image[:4, :4] = 0  # terms 0 log 0
    score = NWIE().score(image)
    padded = np.pad(image, 3, mode="edge")
    for y, x in ((0, 0), (2, 3), (5, 6), (11, 14)):
        around = padded[y : y + 7, x : x + 7]
        means = [around[3 - k : 4 + k, 3 - k : 4 + k].mean() for k in (1, 2, 3)]
        share = around[1:6, 1:6].ravel() / around[1:6, 1:6].sum() if around[1:6, 1:6].any() else 0
        terms = [p * np.log2(p) for p in np.atleast_1d(share) if p > 0]
        expected = max((mean - means[2]) ** 2 for mean in means) * -sum(terms)
        assert score[y, x] == pytest.approx(expected, rel=1e-9)


def test_black_below_fractions_stays_empty():
    # Running sums leave a rest of rounding there, whose entropy means nothing.
    image = np.zeros((80, 60))
    image[:30] = np.random.default_rng(0).uniform(0, 255, (30, 60))
    score = NWIE().score(image)
    assert score.min() >= 0
    assert score[34:].max() < 1e-20


def test_threshold_of_the_paper():
    score = np.array([[0.0, 0.0], [0.0, 4.0]])
    level = MeanToPeak(0.65).level(score)
    snr = (score.max() - score.mean()) / score.std()
    assert level == pytest.approx(score.mean() + 0.65 * snr * score.std()) == pytest.approx(2.95)
    assert not MeanToPeak(0.5)(np.full((5, 5), 3.0)).any()
