import cv2
import numpy as np
import pytest
from test_golden import FOLDERS

from baselines.hvs.ilcm import ILCM


@pytest.mark.parametrize("folder", FOLDERS)
def test_grid_equals_the_reference(folder):
    if not FOLDERS[folder].is_dir():
        pytest.skip(f"the {folder} reference maps are not on this machine")
    grids = np.load(FOLDERS[folder] / "ilcm.npz")
    assert grids.files
    for name in grids.files:
        path = FOLDERS[folder] / "inputs" / f"{name}.png"
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.float64)
        largest = grids[name].max()
        np.testing.assert_allclose(
            ILCM().grid(image), grids[name], rtol=0, atol=1e-6 * largest, err_msg=name
        )


def literal_grid(image, reach):
    """Block by block, for an image of whole steps."""
    rows, columns = image.shape[0] // 4 - 1, image.shape[1] // 4 - 1
    blocks = {
        (p, q): image[4 * p : 4 * p + 8, 4 * q : 4 * q + 8]
        for p in range(rows)
        for q in range(columns)
    }
    grid = np.zeros((rows, columns))
    for p, q in blocks:
        around = [(p + reach * i, q + reach * j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
        means = [blocks[place].mean() for place in around if place in blocks]
        grid[p, q] = blocks[p, q].max() * blocks[p, q].mean() / max(means)
    return grid


@pytest.mark.parametrize("reach", [1, 2])
def test_grid_block_by_block(reach):
    image = np.random.default_rng(0).uniform(0, 255, (28, 40))
    np.testing.assert_allclose(
        ILCM(reach=reach).grid(image), literal_grid(image, reach), rtol=1e-12, atol=0
    )


def test_a_pixel_takes_the_largest_of_its_blocks():
    image = np.random.default_rng(0).uniform(0, 255, (29, 41))  # padded to 32 x 44
    grid = ILCM().grid(image)
    expected = np.zeros((32, 44))
    for (p, q), value in np.ndenumerate(grid):
        block = expected[4 * p : 4 * p + 8, 4 * q : 4 * q + 8]
        np.maximum(block, value, out=block)
    np.testing.assert_array_equal(ILCM().score(image), expected[:29, :41])


def test_one_block_has_no_neighbour():
    image = np.random.default_rng(0).uniform(0, 255, (8, 5))
    np.testing.assert_array_equal(ILCM().score(image), np.zeros((8, 5)))


def test_a_flat_image_gives_itself():
    np.testing.assert_array_equal(ILCM().score(np.full((18, 30), 37.0)), np.full((18, 30), 37.0))
