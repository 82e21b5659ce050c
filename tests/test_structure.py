import numpy as np
import pytest

from baselines.lowrank.structure import (
    corner_prior,
    derivative,
    scale_to_unit,
    structure_eigenvalues,
)


@pytest.fixture
def texture():
    return np.random.default_rng(0).uniform(0, 255, (24, 31))


def test_slope_by_hand():
    rows, columns = np.mgrid[:12, :15]
    large, small = structure_eigenvalues(3.0 * rows + 4.0 * columns, before=2, window=9)
    np.testing.assert_allclose(large[3:-3, 3:-3], 25, rtol=0, atol=1e-9)
    np.testing.assert_allclose(small[3:-3, 3:-3], 0, rtol=0, atol=1e-9)


def test_diagonal_slopes_mix():
    # A tent: gradients (1, 1) on one side and (1, -1) on the other, equal shares far apart
    # only on the ridge, where the derivative across vanishes: J = diag(1, 2/3) for a flat mean.
    rows, columns = np.mgrid[:9, :11]
    tent = rows - np.abs(columns - 5.0)
    large, small = structure_eigenvalues(tent, before=1e-3, window=1e6)
    np.testing.assert_allclose([large[4, 5], small[4, 5]], [1, 2 / 3], rtol=0, atol=1e-6)


def test_turns_with_the_image_and_grows_with_the_square_of_contrast(texture):
    large, small = structure_eigenvalues(texture, before=1.2, window=2)
    turned = structure_eigenvalues(np.rot90(texture).copy(), before=1.2, window=2)
    np.testing.assert_allclose(turned[0], np.rot90(large), rtol=0, atol=1e-8)
    np.testing.assert_allclose(turned[1], np.rot90(small), rtol=0, atol=1e-8)
    doubled = structure_eigenvalues(2 * texture + 7, before=1.2, window=2)
    np.testing.assert_allclose(doubled[0], 4 * large, rtol=1e-9, atol=1e-8)


def test_order_and_sign(texture):
    large, small = structure_eigenvalues(texture, before=2, window=9)
    assert (large >= small).all()
    assert small.min() >= -1e-9 * large.max()


def test_derivative():
    np.testing.assert_array_equal(derivative(np.array([[0.0, 1, 4, 9]]), 1), [[1, 2, 4, 5]])
    np.testing.assert_array_equal(derivative(np.array([[0.0, 1, 4, 9]]), 0), np.zeros((1, 4)))


def test_scaling_leaves_out_nan_and_infinity():
    field = np.array([np.nan, 2.0, 4.0, 6.0, np.inf, -np.inf])
    np.testing.assert_array_equal(scale_to_unit(field), [np.nan, 0, 0.5, 1, 1, 0])


@pytest.mark.parametrize("value, expected", [(-3.0, 0.0), (0.25, 0.25), (7.0, 1.0)])
def test_field_without_range_is_cut(value, expected):
    np.testing.assert_array_equal(scale_to_unit(np.full((2, 3), value)), np.full((2, 3), expected))


def test_nothing_finite():
    assert np.isnan(scale_to_unit(np.full((2, 2), np.nan))).all()


def test_corner_prior_prefers_a_spot_to_an_edge_and_knows_flat_ground():
    image = np.full((40, 40), 30.0)
    image[:, 28:] = 130.0
    image[10:12, 10:12] = 130.0
    prior = corner_prior(image)
    assert np.nanmax(prior) == 1
    assert np.nanmax(prior[7:15, 7:15]) == 1
    assert np.nanmax(prior[18:, 20:]) < 1e-6
    assert np.isnan(prior[30, 5])
