import cv2
import numpy as np
import pytest
from test_golden import FOLDERS

from baselines.spatial.dpir import DPIR, brighter_distance, grow


@pytest.mark.parametrize("folder", FOLDERS)
def test_seeds_equal_the_authors(folder):
    if not FOLDERS[folder].is_dir():
        pytest.skip(f"the {folder} reference maps are not on this machine")
    tables = np.load(FOLDERS[folder] / "dpir_seeds.npz")
    for name in tables.files:
        image = cv2.imread(str(FOLDERS[folder] / "inputs" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
        pixel, drop, confidence = DPIR().peaks(image.astype(np.float64))
        row, column = np.divmod(pixel, image.shape[1])
        table = np.column_stack([column, row, drop, confidence])
        np.testing.assert_allclose(table, tables[name], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "image, expected",
    [
        ([[1, 5, 3]], [[1, np.sqrt(10), 1]]),
        # Equal levels: the earlier in column order counts as the brighter.
        ([[4, 4], [4, 4]], [[np.sqrt(8), 1], [1, np.sqrt(2)]]),
        # Per distance, 10 at sqrt 2 is less than 8 at 1, and 12 is more.
        ([[1, 8], [0, 10]], [[1, 1], [1, np.sqrt(8)]]),
        ([[1, 8], [0, 12]], [[np.sqrt(2), 1], [1, np.sqrt(8)]]),
        # The two peaks meet at the third level of the pyramid, seven pixels apart.
        ([[9, 8, 7, 6, 2, 3, 4, 5]], [[np.sqrt(65), 1, 1, 1, 1, 1, 1, 7]]),
    ],
)
def test_distance_to_brighter_by_hand(image, expected):
    np.testing.assert_allclose(brighter_distance(np.array(image, float)), expected, rtol=1e-15)


def test_region_takes_the_brightest_neighbour_then_the_earliest():
    image = np.zeros((3, 3))
    assert list(grow(image, 4, 4)) == [4, 0, 3, 6]  # ties: column by column
    image[2, 1] = 1.0
    assert list(grow(image, 0, 4)) == [0, 3, 7, 1]
    assert len(grow(image, 4, 100)) == 9


def test_map_of_a_square_on_a_ramp_by_hand():
    image = np.repeat(np.arange(70.0)[None], 70, axis=0)
    image[30:32, 20:22] = 90.0
    score = DPIR().score(image)
    # A region has 8 pixels: the square, then the ramp to its right, uphill from level 22.
    # The other seeds are the last column, which is level: quartiles 0, their distance 2.
    np.testing.assert_array_equal(score[30:32, 20:22], (90 - 22) / 2)
    assert set(score[score > 0]) == {34.0, 0.5, 1.0, 1.5}


def test_gain_changes_nothing():
    image = np.round(np.random.default_rng(0).normal(60, 4, (50, 60)))
    image[20:22, 30:32] = 120.0
    assert DPIR().score(image).max() > 3
    np.testing.assert_allclose(DPIR().score(image * 2), DPIR().score(image), rtol=1e-12)
