import cv2
import numpy as np
import pytest
from test_golden import FOLDERS

from baselines.spatial.labels import expect, in_blocks, in_patches, moments, smooth
from baselines.spatial.mogmrf import Factor, MoGMRF, halves
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
        np.testing.assert_allclose(score, maps[..., component], rtol=0, atol=3e-8)


def test_sweeps_equal_a_pixel_by_pixel_softmax(rng):
    side, count, weight = 4, 20, 1.5  # more patches than a block holds
    terms, noise = rng.normal(0, 3, (3, 3)), rng.normal(size=(side * side, count))
    square = rng.uniform(size=noise.shape)
    logits = terms @ np.stack([np.ones_like(noise), noise, square]).reshape(3, -1)
    logits = logits.reshape(3, side, side, count)
    labels = rng.dirichlet([1, 1, 1], (side, side, count)).transpose(3, 0, 1, 2)
    expected = np.pad(labels, [(0, 0), (1, 1), (1, 1), (0, 0)])
    for _ in range(10):
        for x in range(1, side + 1):  # column by column, as the authors
            for y in range(1, side + 1):
                around = expected[:, [y - 1, y + 1, y, y], [x, x, x - 1, x + 1]].sum(axis=1)
                odds = np.exp(logits[:, y - 1, x - 1] + weight * around)
                expected[:, y, x] = odds / odds.sum(axis=0)
    blocks = in_blocks(labels.reshape(3, side * side, count))
    smooth(blocks, noise, square, terms, weight, 10)
    found = in_patches(blocks, count).reshape(labels.shape)
    np.testing.assert_allclose(found, expected[:, 1:-1, 1:-1], rtol=0, atol=2e-6)


def test_sums_over_labels(rng):
    count = 20
    labels = rng.dirichlet([1, 1, 1], (9, count)).transpose(2, 0, 1)
    noise, square = rng.normal(size=(2, 9, count))
    blocks = in_blocks(labels)
    np.testing.assert_array_equal(in_patches(blocks, count), labels.astype(np.float32))
    expected = np.stack([labels, labels * noise, labels * square], axis=1).sum(axis=(2, 3))
    np.testing.assert_allclose(moments(blocks, noise, square), expected, rtol=0, atol=1e-5)
    tau, mean = np.array([2.0, 0.5, 1.0]), np.array([-1.0, 3.0, 0.5])
    weights, target = expect(blocks, noise, tau, mean)
    np.testing.assert_allclose(weights, np.tensordot(tau, labels, 1), rtol=1e-6)
    shift = np.tensordot(tau * mean, labels, 1)
    np.testing.assert_allclose(target, weights * noise - shift, rtol=0, atol=1e-5)


def test_regression_on_a_certain_factor_is_weighted_ridge(rng):
    data, weights = rng.normal(size=(2, 7, 5))
    weights **= 2
    gamma = np.array([0.5, 1.0, 2.0])
    u = rng.normal(size=(3, 7))
    v = Factor.around(u, 0.0).regress(weights, weights * data, gamma)
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


@pytest.mark.parametrize("weight", [2.5, -3.0, float("nan")])
def test_a_weight_beyond_the_exponential_is_refused(weight):
    with pytest.raises(ValueError, match="expected a size of at most 2"):
        MoGMRF(weight=weight)
