from pathlib import Path

import cv2
import numpy as np
import pytest

from baselines.lowrank.ntfra import NTFRA, difference, shrink_logarithm
from baselines.lowrank.patches import Grid
from baselines.lowrank.structure import corner_prior

INPUTS = Path(__file__).parent / "golden" / "synthetic" / "inputs"


def read(name):
    image = cv2.imread(str(INPUTS / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
    return image.astype(np.float64)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_logarithm_shrinks_the_unnormalised_spectrum(axis):
    # Constant along the axis: one Fourier slice holds everything, 4 times the matrix.
    tensor = np.stack([np.diag([10.0, 3.0, 1.0])] * 4, axis=axis)
    expected = np.stack([np.diag([(40 + np.sqrt(1600 - 400)) / 8, 0, 0])] * 4, axis=axis)
    shrunk = shrink_logarithm(tensor, tau=100.0, epsilon=0.0, axis=axis)
    np.testing.assert_allclose(shrunk, expected, rtol=0, atol=1e-12)


def test_logarithm_minimises_its_objective():
    tau, epsilon = 2.0, 0.5
    grid = np.linspace(0, 12, 120001)
    for value in (0.5, 2.2, 2.5, 4.0, 9.0):
        shrunk = float(shrink_logarithm(np.full((1, 1, 1), value), tau, epsilon, axis=2)[0, 0, 0])
        slope = shrunk - value + tau / (shrunk + epsilon)
        assert shrunk == 0 or abs(slope) < 1e-9
        if shrunk:  # the larger stationary point is the local minimum
            objective = tau * np.log(grid + epsilon) + (grid - value) ** 2 / 2
            near = np.abs(grid - shrunk) < 0.1
            assert abs(grid[near][np.argmin(objective[near])] - shrunk) < 2e-4


def test_highest_frequency_of_an_odd_axis_is_quartered():
    wave = np.cos(2 * np.pi * 2 * np.arange(5) / 5)
    tensor = wave[None, None, :] * np.eye(2)[:, :, None]
    np.testing.assert_allclose(
        shrink_logarithm(tensor, tau=0.0, epsilon=0.0, axis=2), tensor / 4, rtol=0, atol=1e-12
    )
    even = np.concatenate([tensor, -tensor], axis=2)
    np.testing.assert_allclose(
        shrink_logarithm(even, tau=0.0, epsilon=0.0, axis=2), even, rtol=0, atol=1e-12
    )


def test_differences_end_in_those_of_the_other_tensor():
    tensor = np.array([1.0, 4.0, 9.0]).reshape(1, 3, 1)
    ends = np.array([7.0, 0.0, 2.0]).reshape(1, 3, 1)
    np.testing.assert_array_equal(difference(tensor, ends, axis=1).ravel(), [3, 5, 5])
    np.testing.assert_array_equal(difference(tensor, ends, axis=0).ravel(), [0, 0, 0])


@pytest.mark.parametrize("name", ["sky", "clutter"])
def test_takes_as_many_passes_as_the_public_code(name):
    image = read(name)
    grid = Grid.flush(image.shape, 40, 40)
    _, passes = NTFRA().split(grid.tensor(image), grid.tensor(corner_prior(image)))
    assert passes == 20


def test_flat_image_with_one_target_is_defined():
    image = np.full((60, 90), 50.0)
    image[29:32, 44:47] = 150.0
    score = NTFRA().score(image)
    assert score[30, 45] > 20
    assert score[:20].max() == 0  # no structure, no prior
