import numpy as np
import pytest

from baselines.lowrank.patches import Grid

BACK = ("mean", "median", "last")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def windows_over(grid, y, x):
    """(slice, row in window, column in window) of the windows over a pixel, in slice order."""
    corners = [(row, column) for column in grid.columns for row in grid.rows]
    return [
        (n, y - row, x - column)
        for n, (row, column) in enumerate(corners)
        if 0 <= y - row < grid.patch and 0 <= x - column < grid.patch
    ]


def test_positions_by_hand():
    grid = Grid.inside((25, 20), patch=10, step=5)
    assert grid.rows == (0, 5, 10, 15) and grid.columns == (0, 5, 10)
    assert Grid.inside((24, 23), patch=10, step=5) == Grid((24, 23), 10, (0, 5, 10), (0, 5, 10))
    assert Grid.flush((24, 20), patch=10, step=5) == Grid((24, 20), 10, (0, 5, 10, 14), (0, 5, 10))


def test_windows_fit_into_a_small_image():
    assert Grid.flush((3, 8), patch=10, step=7) == Grid((3, 8), 3, (0,), (0, 3, 5))
    assert Grid.inside((3, 8), patch=10, step=7) == Grid((3, 8), 3, (0,), (0, 3))


def test_columns_are_the_outer_order(rng):
    image = rng.normal(size=(12, 11))
    grid = Grid.flush(image.shape, patch=4, step=3)
    tensor = grid.tensor(image)
    for j, column in enumerate(grid.columns):
        for i, row in enumerate(grid.rows):
            window = image[row : row + 4, column : column + 4]
            np.testing.assert_array_equal(tensor[:, :, j * len(grid.rows) + i], window)
    np.testing.assert_array_equal(grid.matrix(image), tensor.reshape(16, -1))


@pytest.mark.parametrize("back", BACK)
@pytest.mark.parametrize("shape", [(1, 1), (5, 9), (23, 31), (30, 20)])
@pytest.mark.parametrize("patch, step", [(5, 5), (6, 4), (7, 2), (9, 11)])
def test_there_and_back(rng, shape, patch, step, back):
    image = rng.normal(size=shape)
    grid = Grid.flush(shape, patch, step)
    for patches in (grid.tensor(image), grid.matrix(image)):
        np.testing.assert_allclose(getattr(grid, back)(patches), image, rtol=0, atol=1e-14)


@pytest.mark.parametrize("back", BACK)
def test_bare_borders_are_zero(back):
    image = np.ones((25, 17))
    grid = Grid.inside(image.shape, patch=8, step=6)
    expected = np.zeros_like(image)
    expected[:20, :14] = 1
    np.testing.assert_array_equal(getattr(grid, back)(grid.matrix(image)), expected)


@pytest.mark.parametrize("back", BACK)
@pytest.mark.parametrize("make", [Grid.inside, Grid.flush])
@pytest.mark.parametrize("patch, step", [(6, 2), (7, 3), (5, 5)])
def test_each_pixel_sums_up_its_own_windows(rng, make, patch, step, back):
    grid = make((16, 21), patch, step)
    tensor = rng.normal(size=(patch, patch, len(grid)))
    sums = {"mean": np.mean, "median": np.median, "last": lambda entries: entries[-1]}
    expected = np.zeros(grid.shape)
    for y, x in np.ndindex(grid.shape):
        entries = [tensor[row, column, n] for n, row, column in windows_over(grid, y, x)]
        expected[y, x] = sums[back](entries) if entries else 0
    np.testing.assert_allclose(getattr(grid, back)(tensor), expected, rtol=0, atol=1e-14)
