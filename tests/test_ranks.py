import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from baselines.hvs.ranks import BAND, core, relative_contrast, top_means


@pytest.mark.parametrize(
    "side, counts", [(1, [1]), (3, [9, 1]), (5, [9]), (9, [2, 4, 16]), (11, [121])]
)
def test_top_means_are_those_of_sorted_cells(side, counts):
    rng = np.random.default_rng(side)
    image = rng.integers(-4, 5, (2 * BAND + 7, 23)) + rng.choice([0.0, 0.25], (2 * BAND + 7, 23))
    cells = sliding_window_view(np.pad(image, side + side // 2), (side, side))
    cells = -np.sort(-cells.reshape(*cells.shape[:2], side**2))
    for mean, count in zip(top_means(image, side, counts), counts, strict=True):
        assert mean.shape == (image.shape[0] + 2 * side, image.shape[1] + 2 * side)
        np.testing.assert_allclose(mean, cells[..., :count].mean(axis=2), rtol=0, atol=1e-14)


@pytest.mark.parametrize("level", [0.1, 77.7, 254.9])
def test_equal_pixels_have_exactly_their_value_as_mean(level):
    image = np.full((30, 30), level)
    (means,) = top_means(image, 5, [9])
    assert (means[7:-7, 7:-7] == level).all()
    assert (core(image) == level).all()


@pytest.mark.parametrize("counts", [[0], [4, 10]])
def test_counts_that_no_cell_has_are_refused(counts):
    with pytest.raises(ValueError, match="expected 1 to 9 for a side of 3"):
        top_means(np.zeros((5, 5)), 3, counts)


def test_relative_contrast_by_hand():
    centre = np.array([[30.0, 20.0, 10.0, 7.0, 0.0]])
    background = np.array([[20.0, 20.0, 20.0, 0.0, 0.0]])
    expected = [[15.0, 0.0, 0.0, 0.0, 0.0]]
    np.testing.assert_array_equal(relative_contrast(centre, background), expected)


def test_core_by_hand():
    image = np.zeros((4, 5))
    image[0, 2] = 16.0
    expected = np.zeros((4, 5))
    expected[:2, 1:4] = [[3, 6, 3], [1, 2, 1]]
    np.testing.assert_array_equal(core(image), expected)
