import numpy as np
import pytest

from baselines.lowrank.tvpcp import TVPCP, fit


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def gradient(tensor):
    slope = np.zeros((2, *tensor.shape))
    slope[0, :-1] = np.diff(tensor, axis=0)
    slope[1, :, :-1] = np.diff(tensor, axis=1)
    return slope


@pytest.mark.parametrize("smooth_cut, target_cut", [(0.3, 0.8), (2.0, 0.8), (0.3, 100.0)])
def test_step_of_both_terms_has_the_lowest_objective(rng, smooth_cut, target_cut):
    data = rng.uniform(50, 60, (6, 6, 3))
    goal = data + rng.normal(0, 2, data.shape)
    pull, best = np.zeros((2, *data.shape)), np.empty_like(data)
    fit(data, goal, pull, smooth_cut, target_cut, 3000, best)

    def objective(smooth):
        length = np.sqrt((gradient(smooth) ** 2).sum(axis=0))
        rest = np.abs(data - smooth).sum()
        return smooth_cut * length.sum() + target_cut * rest + ((smooth - goal) ** 2).sum() / 2

    lowest = objective(best)
    for scale in (1e-3, 1e-1):
        for _ in range(20):
            assert objective(best + scale * rng.normal(size=best.shape)) > lowest
    # No gap to the dual: where Z slopes, P is its direction.
    slope = gradient(best)
    length = np.sqrt((slope**2).sum(axis=0))
    np.testing.assert_allclose((pull * slope).sum(axis=0), length, rtol=0, atol=1e-3)
    assert (np.sqrt((pull**2).sum(axis=0)) < 1 + 1e-12).all()


def test_steps_go_on_where_the_last_ones_ended(rng):
    data = rng.uniform(50, 60, (6, 6, 3))
    once, twice = np.empty((2, *data.shape))
    fit(data, data, np.zeros((2, *data.shape)), 0.5, 0.5, 4, once)
    pull = np.zeros((2, *data.shape))
    for _ in range(2):
        fit(data, data, pull, 0.5, 0.5, 2, twice)
    np.testing.assert_array_equal(once, twice)


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
