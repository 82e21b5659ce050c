import numpy as np
import pytest

from baselines.lowrank.tsvd import rank_by_ratio, shrink_slices


def soft(threshold):
    return lambda values: np.maximum(values - threshold, 0)


def fourier_nuclear_norm(tensor):
    slices = np.fft.fft(tensor, axis=2).transpose(2, 0, 1)
    return np.linalg.svd(slices, compute_uv=False).sum() / tensor.shape[2]


@pytest.mark.parametrize("shape", [(4, 6, 5), (6, 4, 8), (5, 3, 1), (1, 4, 2)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_shrinks_every_slice_of_the_full_spectrum(shape, axis):
    tensor = np.random.default_rng(0).normal(size=shape)
    moved = np.moveaxis(tensor, axis, 0)
    u, values, v = np.linalg.svd(np.fft.fft(moved, axis=0), full_matrices=False)
    expected = np.fft.ifft((u * soft(1.5)(values)[:, None, :]) @ v, axis=0)
    shrunk = np.moveaxis(shrink_slices(tensor, soft(1.5), axis), axis, 0)
    np.testing.assert_allclose(shrunk, expected.real, rtol=0, atol=1e-10)


def test_equal_slices_by_hand():
    # Four slices diag(3, 1): the first Fourier slice is diag(12, 4), the others are zero.
    tensor = np.repeat(np.diag([3.0, 1.0])[:, :, None], 4, axis=2)
    expected = np.repeat(np.diag([1.5, 0.0])[:, :, None], 4, axis=2)
    np.testing.assert_allclose(shrink_slices(tensor, soft(6)), expected, rtol=0, atol=1e-12)


def test_rule_gets_descending_values_slice_by_slice():
    tensor = np.random.default_rng(1).normal(size=(3, 5, 7))

    def only_the_first_slice(values):
        assert values.shape == (4, 3)
        assert (np.diff(values, axis=1) <= 0).all()
        return values * (np.arange(4) == 0)[:, None]

    expected = np.broadcast_to(tensor.mean(axis=2, keepdims=True), tensor.shape)
    shrunk = shrink_slices(tensor, only_the_first_slice)
    np.testing.assert_allclose(shrunk, expected, rtol=0, atol=1e-12)


def test_soft_threshold_minimises_its_objective():
    rng = np.random.default_rng(2)
    tensor = rng.normal(size=(5, 4, 6))
    shrunk = shrink_slices(tensor, soft(2.0))

    def objective(candidate):
        return 2.0 * fourier_nuclear_norm(candidate) + ((candidate - tensor) ** 2).sum() / 2

    for scale in (1e-3, 1e-1):
        for _ in range(10):
            other = shrunk + scale * rng.normal(size=tensor.shape)
            assert objective(other) > objective(shrunk)


def test_all_values_may_vanish():
    tensor = np.random.default_rng(3).normal(size=(3, 4, 5))
    assert (shrink_slices(tensor, soft(1e3)) == 0).all()


@pytest.mark.parametrize(
    "values, rank", [([10, 5, 0.5], 2), ([10, 0.5, 0.2], 1), ([10, 5, 2], 3), ([10, 2, 1.001], 3)]
)
def test_rank_of_a_matrix(values, rank):
    matrix = np.diag(values).astype(float)
    assert rank_by_ratio(matrix) == rank
    assert rank_by_ratio(np.vstack([matrix, matrix])) == rank


def test_rank_of_a_tensor_is_that_of_the_refilled_matrix():
    # Entries (1, 2), (1, 2), ... times any factor, in column-major order: refilled into two
    # rows they have rank 1. The unfolding and a row-major refill have rank 2.
    factors = np.array([[[1.0, 3.0], [2.0, 1.0]], [[5.0, -4.0], [-6.0, 2.0]]])
    tensor = np.concatenate([factors[:1], 2 * factors[:1], factors[1:], 2 * factors[1:]])
    assert rank_by_ratio(tensor) == 1
    assert rank_by_ratio(tensor[[0, 2, 1, 3]]) == 2
