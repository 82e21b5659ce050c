import numpy as np
import pytest

from baselines.hvs import cells


def cell(image, side, y, x, down, right):
    """The pixels of one cell, cut out of a generously padded image."""
    wide = np.pad(image, 2 * side, mode="edge")
    top = y + 2 * side + side * down - side // 2
    left = x + 2 * side + side * right - side // 2
    return wide[top : top + side, left : left + side]


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (14, 11)])
@pytest.mark.parametrize("side", [1, 3, 5])
def test_means_are_those_of_the_cut_out_cells(shape, side):
    image = np.random.default_rng(0).uniform(0, 255, shape)
    means = cells.cell_means(image, side)
    views = [cells.cell_view(means, side), *cells.neighbours(means, side)]
    for view, (down, right) in zip(views, [(0, 0), *cells.CLOCKWISE], strict=True):
        expected = [
            [cell(image, side, y, x, down, right).mean() for x in range(shape[1])]
            for y in range(shape[0])
        ]
        np.testing.assert_allclose(view, expected, rtol=1e-13, atol=0)


def test_pairs_are_opposite():
    # On a slope the values of two opposite neighbours average to that of the centre.
    rows, columns = np.mgrid[:17, :19]
    extended = 3.0 * rows + 7.0 * columns
    pairs = list(cells.opposite_pairs(extended, 3))
    assert len(pairs) == 4
    for one, other in pairs:
        np.testing.assert_array_equal((one + other) / 2, cells.cell_view(extended, 3))


def test_largest_neighbour_leaves_the_centre_out():
    extended = np.zeros((15, 15))  # of a 9 x 9 image with cells of side 3
    extended[7, 7] = 5.0
    expected = np.zeros((9, 9))
    expected[np.ix_([1, 4, 7], [1, 4, 7])] = 5.0
    expected[4, 4] = 0.0
    np.testing.assert_array_equal(cells.largest_neighbour(extended, 3), expected)


@pytest.mark.parametrize("level", [0.1, 1 / 3, 77.7])
def test_equal_cells_have_equal_means(level):
    image = np.full((23, 37), level)
    assert np.ptp(cells.cell_means(image, 7)) == 0


@pytest.mark.parametrize("turn", [np.asarray, np.transpose])
def test_a_black_cell_beside_bright_ones_has_mean_zero(turn):
    image = np.zeros((40, 40))
    image[:20] = np.random.default_rng(0).uniform(0, 255, (20, 40))
    means = cells.cell_view(cells.cell_means(turn(image).copy(), 5), 5)
    assert np.all(turn(means)[22:] == 0)


def test_borders_by_hand():
    image = np.array([[1.0, 2.0]])
    nearest = [[1, 1, 2, 2]] * 3
    np.testing.assert_array_equal(cells.pad(image, 1), nearest)
    np.testing.assert_array_equal(
        cells.pad(image, 1, "zero"), [[0, 0, 0, 0], [0, 1, 2, 0], [0, 0, 0, 0]]
    )


def test_ratio_is_zero_where_the_background_is_not_positive():
    quotient = cells.ratio(np.array([6.0, 6.0, 6.0, 0.0]), np.array([2.0, 0.0, -2.0, 0.0]))
    np.testing.assert_array_equal(quotient, [3.0, 0.0, 0.0, 0.0])
