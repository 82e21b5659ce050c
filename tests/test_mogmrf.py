import cv2
import numpy as np
import pytest
from test_golden import FOLDERS

from baselines.spatial.mogmrf import Factor, MoGMRF, halves, smooth
from istsbench.data.synthetic import scene


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_every_component_equals_the_authors():
    folder = FOLDERS["synthetic"]
    maps = np.load(folder / "mogmrf_rank8_components.npz")["clutter"]
    image = cv2.imread(str(folder / "inputs" / "clutter.png"), cv2.IMREAD_GRAYSCALE)
    for component in range(3):
        score = MoGMRF(rank=8, component=component).score(image.astype(np.float64))
        np.testing.assert_allclose(score, maps[..., component], rtol=0, atol=1e-9)


def test_sweeps_equal_a_pixel_by_pixel_softmax(rng):
    side, weight = 4, 1.5
    logits = rng.normal(0, 3, (3, side, side, 2))
    labels = rng.dirichlet([1, 1, 1], (side, side, 2)).transpose(3, 0, 1, 2).copy()
    expected = np.pad(labels, [(0, 0), (1, 1), (1, 1), (0, 0)])
    for _ in range(2):
        for x in range(1, side + 1):  # column by column, as the authors
            for y in range(1, side + 1):
                around = expected[:, [y - 1, y + 1, y, y], [x, x, x - 1, x + 1]].sum(axis=1)
                odds = np.exp(logits[:, y - 1, x - 1] + weight * around)
                expected[:, y, x] = odds / odds.sum(axis=0)
    smooth(labels, np.exp(logits), weight, 2)
    np.testing.assert_allclose(labels, expected[:, 1:-1, 1:-1], rtol=1e-9)


def test_regression_on_a_certain_factor_is_weighted_ridge(rng):
    data, weights = rng.normal(size=(2, 7, 5))
    weights **= 2
    gamma = np.array([0.5, 1.0, 2.0])
    u = rng.normal(size=(3, 7))
    v = Factor(u, 0.0).regress(weights, weights * data, gamma)
    for j in range(5):
        precision = (u * weights[:, j]) @ u.T + np.diag(gamma)
        mean = np.linalg.solve(precision, u @ (weights[:, j] * data[:, j]))
        np.testing.assert_allclose(v.mean[:, j], mean, rtol=1e-12)
        second = np.outer(mean, mean) + np.linalg.inv(precision)
        np.testing.assert_allclose(v.second[:, j], second[np.tril_indices(3)], rtol=1e-10)


@pytest.mark.parametrize("shape", [(20, 6), (6, 20)])
def test_halves_multiply_to_the_nearest_matrix_of_the_rank(rng, shape):
    data = rng.normal(size=shape)
    left, values, right = np.linalg.svd(data, full_matrices=False)
    u, v = halves(data, 3)
    nearest = (left[:, :3] * values[:3]) @ right[:3]
    np.testing.assert_allclose(u.T @ v, nearest, rtol=0, atol=1e-12)
    for half in (u, v):
        np.testing.assert_allclose(half @ half.T, np.diag(values[2::-1]), rtol=0, atol=1e-12)


def test_only_a_covered_bright_target_is_found():
    image = scene()  # its target is at (36, 44); patches cover rows below 70, columns below 80
    assert MoGMRF().score(image)[36, 44] > 0
    assert MoGMRF().score(140 - image)[36, 44] == 0
    flat = np.full((72, 88), 60.0)
    flat[71, 87] = 255.0
    assert MoGMRF().score(flat).max() == 0
    assert MoGMRF().score(image[:50]).max() == 0
