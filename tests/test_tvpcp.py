import numpy as np
import pytest

from baselines.lowrank.tvpcp import TVPCP, cosines, gather, slopes, transform


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def gradient(tensor):
    slope = np.zeros((2, *tensor.shape))
    slope[0, :-1] = np.diff(tensor, axis=0)
    slope[1, :, :-1] = np.diff(tensor, axis=1)
    return slope


def test_right_side_holds_the_adjoint_of_the_slopes(rng):
    tensor, zero = rng.normal(size=(4, 4, 3)), np.zeros((4, 4, 3))
    slope = np.empty((2, 4, 4, 3))
    for y, x in np.ndindex(4, 4):
        slopes(tensor, y, x, slope[0, y, x], slope[1, y, x])
    np.testing.assert_allclose(slope, gradient(tensor), rtol=0, atol=1e-15)
    field = gradient(rng.normal(size=(4, 4, 3)))
    adjoint = gather(zero, np.stack([zero, *field, zero]), np.zeros((4, 4, 4, 3)))
    assert np.vdot(adjoint, tensor) == pytest.approx(np.vdot(field, gradient(tensor)), rel=1e-12)


def test_cosine_transform_is_inverted_and_makes_the_slopes_diagonal(rng):
    tensor, zero = rng.normal(size=(5, 5, 2)), np.zeros((5, 5, 2))
    wave = cosines(5).astype(np.float64)
    spectrum = transform(tensor, wave)
    np.testing.assert_allclose(transform(spectrum, wave.T), tensor, rtol=0, atol=1e-6)
    minus = gather(zero, np.stack([zero, *gradient(tensor), zero]), np.zeros((4, 5, 5, 2)))
    slope = 2 - 2 * np.cos(np.pi * np.arange(5) / 5)
    expected = (slope[:, None] + slope)[..., None] * spectrum
    np.testing.assert_allclose(transform(minus, wave), expected, rtol=0, atol=1e-5)


def test_solution_has_the_lowest_objective_of_its_weights(rng):
    patches = rng.uniform(50, 90, (10, 10, 1)) + rng.normal(0, 3, (10, 10, 12))
    patches[4:6, 4:6, 3] += 60
    patches[7:9, 1:3, 8] -= 60

    def objective(target, smoothness, weight):
        smooth = patches - target
        length = np.sqrt((gradient(smooth) ** 2).sum(axis=0))
        low = np.linalg.svd(smooth.reshape(100, 12), compute_uv=False)
        return low.sum() + smoothness * length.sum() + weight / 10 * np.abs(target).sum()

    settings = [(0.0, 3.0), (0.02, 3.0), (0.04, 3.0), (0.02, 2.5), (0.02, 3.5)]
    targets = []
    for smoothness, weight in settings:
        method = TVPCP(smoothness=smoothness, weight=weight, tolerance=1e-6, limit=2000)
        target, passes = method.split(patches)
        assert passes < 2000
        targets.append(target)
    for setting in settings:
        values = [objective(target, *setting) for target in (*targets, patches, 0 * patches)]
        assert np.argmin(values) == settings.index(setting)
    np.testing.assert_allclose(method.split(-patches)[0], -target, rtol=0, atol=1e-3)


def test_dark_targets_have_no_score(rng):
    image = np.round(rng.normal(80, 1, (60, 70)))
    image[30:32, 40:42] = 20.0
    score = TVPCP().score(image)
    assert score[30:32, 40:42].max() == 0
    assert TVPCP().score(160 - image)[30:32, 40:42].min() > 20
