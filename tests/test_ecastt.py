import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from baselines.lowrank.ecastt import (
    ECASTT,
    conjugate_gradients,
    gradient,
    gradient_adjoint,
    times_chosen,
)

GOLDEN = Path(__file__).parent / "golden" / "synthetic"
PASSES = json.loads((GOLDEN / "ecastt.json").read_text())["iterations"]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def read(name):
    image = cv2.imread(str(GOLDEN / "inputs" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
    return image.astype(np.float64)


@pytest.mark.parametrize("name", PASSES)
def test_takes_as_many_passes_as_the_public_code(name):
    assert ECASTT().split(read(name))[1] == PASSES[name]


@pytest.mark.parametrize("shape", [(7, 9), (1, 6), (6, 1), (1, 1)])
def test_gradient_and_its_adjoint(rng, shape):
    field, slope = rng.normal(size=shape), rng.normal(size=(2, *shape))
    left, right = np.vdot(gradient(field), slope), np.vdot(field, gradient_adjoint(slope))
    np.testing.assert_allclose(left, right, rtol=0, atol=1e-12)
    assert np.all(gradient(np.ones(shape)) == 0)


def test_conjugate_gradients_solve_their_system(rng):
    truth, times = rng.normal(size=(9, 12)), rng.integers(1, 5, (9, 12)).astype(float)
    right = 2 * truth + gradient_adjoint(times * gradient(truth))
    found = conjugate_gradients(right, np.zeros_like(truth), times, limit=300, stop=1e-20)
    np.testing.assert_allclose(found, truth, rtol=0, atol=1e-9)


def test_only_identical_patches_are_neighbours(rng):
    noise = rng.integers(0, 255, (30, 40)).astype(float)
    np.testing.assert_array_equal(times_chosen(noise, 8, reach=5, patch=7), np.ones(noise.shape))


def test_neighbours_of_a_repeated_strip(rng):
    # Columns repeat every 4: in the middle of a row a pixel's like lie 4 to each side.
    image = np.tile(rng.integers(0, 255, (30, 4)).astype(float), (1, 10))
    times = times_chosen(image, 8, reach=5, patch=7)
    np.testing.assert_array_equal(times[10:20, 12:28], np.full((10, 16), 3.0))
    # With room for one, each pixel takes the first of the two: the one to the left.
    times = times_chosen(image, 1, reach=5, patch=7)
    np.testing.assert_array_equal(times[10:20, 12:28], np.full((10, 16), 2.0))


def test_every_pixel_chooses_itself_and_its_neighbours():
    times = times_chosen(np.zeros((20, 25)), 8, reach=5, patch=7)
    assert times.sum() == 9 * 20 * 25
    assert times.min() >= 1
    assert np.all(times_chosen(np.zeros((20, 25)), 0, reach=5, patch=7) == 1)


def test_saturated_sky_changes_the_map_through_its_neighbours():
    image = np.minimum(read("clutter"), 70)
    image[40:43, 40:43] = 160
    assert times_chosen(image, 8, reach=5, patch=7).max() > 1
    assert not np.array_equal(ECASTT().score(image), ECASTT(neighbours=0).score(image))
