"""SCRG, BSF and contrast gain of maps, by hand."""

import numpy as np
import pytest

from istsbench.matching import Regions
from istsbench.suppression import AROUND, background_suppression


def scene(level, low, high):
    """A target of one pixel at `level` in a chequered background of two levels."""
    image = np.where(np.indices((9, 9)).sum(axis=0) % 2, low, high).astype(float)
    image[4, 4] = level
    return image


TRUTH = np.zeros((9, 9), bool)
TRUTH[4, 4] = True
TRUE = Regions.of(TRUTH)


def test_gains_by_hand():
    found = background_suppression(scene(110, 40, 60), scene(205, 4, 6), TRUE)
    # 40 of the 80 background pixels have either level: means 50 and 5, deviations 10 and 1.
    assert found["bsf"] == pytest.approx(10)
    assert found["gain"] == pytest.approx(200 / 60)
    assert found["scrg"] == pytest.approx((200 / 1) / (60 / 10))
    assert [found[f"{name}_targets"] for name in ("scrg", "bsf", "gain")] == [1, 1, 1]


def test_what_divides_by_zero_counts_for_nothing():
    image, flat = scene(110, 40, 60), scene(200, 0.1, 0.1)
    found = background_suppression(image, flat, TRUE)  # infinitely well suppressed
    assert (found["scrg"], found["scrg_targets"], found["bsf_targets"]) == (0, 0, 0)
    assert found["gain"] == pytest.approx(199.9 / 60) and found["gain_targets"] == 1
    found = background_suppression(flat, image, TRUE)  # nothing to suppress
    assert (found["scrg_targets"], found["bsf_targets"], found["gain_targets"]) == (0, 0, 1)
    found = background_suppression(np.full((9, 9), 0.1), image, TRUE)  # nothing to see
    assert (found["scrg_targets"], found["bsf_targets"], found["gain_targets"]) == (0, 0, 0)
    everything = Regions.of(np.ones((9, 9), bool))
    assert not any(background_suppression(image, image, everything).values())


def test_the_map_of_the_image_itself_gains_nothing():
    image = np.random.default_rng(0).uniform(0, 255, (60, 70))
    truth = np.zeros(image.shape, bool)
    truth[3:5, 66:] = truth[30:33, 20:22] = True
    found = background_suppression(image, image, Regions.of(truth))
    for name in ("scrg", "bsf", "gain"):
        assert (found[name], found[f"{name}_targets"]) == (pytest.approx(2), 2)


def test_background_is_the_box_around_less_all_targets():
    image = np.random.default_rng(0).uniform(0, 100, (100, 100))
    truth = np.zeros(image.shape, bool)
    truth[50, 50] = truth[50, 60] = True
    true = Regions.of(truth)
    score = np.random.default_rng(1).uniform(0, 100, image.shape)
    found = background_suppression(image, score, true)
    changed = [array.copy() for array in (image, score)]
    for array in changed:  # beyond the boxes of both
        array[: 50 - AROUND] = array[51 + AROUND :] = 1e6
        array[:, : 50 - AROUND] = array[:, 61 + AROUND :] = 1e6
    assert background_suppression(*changed, true) == found
    only = Regions.of(np.where(np.arange(100) < 55, truth, False))
    assert background_suppression(image, score, only)["scrg"] != found["scrg"]
