import numpy as np
import pytest

from baselines.lowrank.proximal import (
    leading_spectrum,
    nonnegative_soft_threshold,
    shrink_singular_values,
    singular_values,
    soft_threshold,
    spectrum,
    svt,
)
from istsbench import create
from istsbench.data.synthetic import scene

SHAPES = [(30, 12), (12, 30), (15, 15)]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_soft_threshold_by_hand():
    values = np.array([-3.0, -1.0, 0.5, 1.0, 2.5])
    np.testing.assert_array_equal(soft_threshold(values, 1.0), [-2, 0, 0, 0, 1.5])
    np.testing.assert_array_equal(soft_threshold(values, abs(values)), np.zeros(5))


def test_nonnegative_soft_threshold_by_hand():
    values = np.array([-3.0, 0.5, 2.5, 2.5, 2.5])
    thresholds = np.array([1.0, 1.0, 1.0, np.nan, np.inf])
    np.testing.assert_array_equal(nonnegative_soft_threshold(values, thresholds), [0, 0, 1.5, 0, 0])
    assert nonnegative_soft_threshold(np.array([np.inf]), np.inf) == [0]


@pytest.mark.parametrize(
    "shrink, lowest", [(soft_threshold, -np.inf), (nonnegative_soft_threshold, 0)]
)
def test_thresholds_minimise_their_objective(rng, shrink, lowest):
    values, weights = rng.normal(size=200), rng.uniform(0, 1.5, 200)

    def objective(z):
        return weights * np.abs(z) + (z - values) ** 2 / 2

    best = shrink(values, weights)
    for size in (1e-3, 0.1, 1):
        other = np.maximum(best + size * rng.normal(size=200), lowest)
        assert (objective(best) <= objective(other) + 1e-15).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_singular_values_are_those_of_an_svd(rng, shape):
    matrix = rng.normal(size=shape)
    expected = np.linalg.svd(matrix, compute_uv=False)
    np.testing.assert_allclose(singular_values(matrix), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("keep", [0, 3])
def test_svt_equals_a_full_svd(rng, shape, keep):
    matrix = rng.normal(size=shape)
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    shrunk = np.maximum(s - 4, 0)
    shrunk[:keep] = s[:keep]
    result, kept = svt(matrix, 4.0, keep)
    np.testing.assert_allclose(result, (u * shrunk) @ vt, rtol=0, atol=1e-12)
    np.testing.assert_allclose(kept, shrunk, rtol=0, atol=1e-12)
    assert 0 < np.count_nonzero(shrunk) < min(shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_svt_minimises_its_objective(rng, shape):
    matrix = rng.normal(size=shape)

    def objective(z):
        return 2.0 * np.linalg.norm(z, "nuc") + np.linalg.norm(z - matrix) ** 2 / 2

    best, _ = svt(matrix, 2.0)
    for size in (1e-3, 1e-2, 0.1, 1):
        for _ in range(5):
            assert objective(best) < objective(best + size * rng.normal(size=shape))


def test_any_rule_shrinks_a_diagonal_matrix():
    matrix = np.diag([5.0, -4.0, 0.0, 1.0])
    shrunk, kept = shrink_singular_values(matrix, lambda s: s**2 * (s > 2))
    np.testing.assert_allclose(shrunk, np.diag([25.0, -16, 0, 0]), rtol=0, atol=1e-13)
    np.testing.assert_allclose(kept, [25, 16, 0, 0], rtol=0, atol=1e-13)


def test_a_zero_matrix_stays_zero():
    shrunk, kept = svt(np.zeros((6, 4)), 0.0)
    assert not kept.any() and not shrunk.any()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_known_spectrum_is_used_instead(rng, shape):
    matrix = rng.normal(size=shape)
    values, vectors = spectrum(matrix)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(min(shape)), rtol=0, atol=1e-13)
    # The values of 3 X in place of those of X: what is left of X is what is left of 3 X / 3.
    expected, kept = svt(3 * matrix, 9.0)
    result, same = svt(matrix, 9.0, known=(3 * values, vectors))
    np.testing.assert_allclose(same, kept, rtol=0, atol=1e-12)
    np.testing.assert_allclose(result, expected / 3, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_another_device_gives_the_same(rng, shape, kind):
    matrix = rng.normal(size=shape).astype(kind)
    ours, kept = svt(matrix, 2.0)
    left, values, right = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    expected = (left * np.maximum(values - 2, 0)) @ right
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-5)
    theirs, same = svt(matrix, 2.0, device="cpu:0")  # the CPU too, but by PyTorch
    assert ours.dtype == theirs.dtype == kind
    tolerance = 1e-12 if kind == np.float64 else 1e-5
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=tolerance)
    np.testing.assert_allclose(same, kept, rtol=0, atol=1e-12)
    values, vectors = spectrum(matrix, "cpu:0")
    np.testing.assert_allclose(values, spectrum(matrix)[0], rtol=1e-10)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(min(shape)), atol=1e-12)


@pytest.mark.parametrize("name", ["ipi", "nipps", "tvpcp", "ript"])
def test_a_method_on_another_device_gives_the_same_map(name):
    image = scene(100, 120)
    expected, found = create(name).score(image), create(name, device="cpu:0").score(image)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * expected.max())


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="device='gpu' cannot be used here"):
        create("ipi", device="gpu")


@pytest.mark.parametrize("shape", [(40, 12), (12, 40)])
def test_leading_spectrum_is_the_part_above_the_floor(rng, shape):
    matrix = rng.normal(size=shape)
    values, vectors = spectrum(matrix)
    for kept in (0, 1, 5, 12):
        floor = (([2 * values[0], *values, 0.0])[kept] + ([*values, 0.0])[kept]) / 2
        some, basis = leading_spectrum(matrix, floor)
        np.testing.assert_allclose(some, values[:kept], rtol=1e-10)
        assert basis.shape == (12, kept)
        projection = vectors[:, :kept] @ vectors[:, :kept].T
        np.testing.assert_allclose(basis @ basis.T, projection, rtol=0, atol=1e-10)
        low, _ = svt(matrix, floor, known=(some, basis))
        np.testing.assert_allclose(low, svt(matrix, floor)[0], rtol=0, atol=1e-10)
