import numpy as np

from baselines.lowrank.smsl import SMSL
from istsbench.data.synthetic import scene


def test_recovers_spikes_on_a_low_rank_background():
    rng = np.random.default_rng(0)
    background = rng.normal(size=(120, 2)) @ rng.normal(size=(2, 60))
    spikes = np.zeros((120, 60))
    spikes.flat[rng.choice(spikes.size, 100, replace=False)] = rng.choice([-5, 5], 100)
    target, passes = SMSL().split(background + spikes)
    np.testing.assert_allclose(target, spikes, rtol=0, atol=1e-4)
    assert passes < 50


def test_split_is_no_worse_than_its_neighbours():
    rng = np.random.default_rng(0)
    patches = rng.uniform(size=(90, 30)) + rng.uniform(size=(90, 1))
    weight = SMSL().weight / np.sqrt(30)

    def objective(target):
        return np.linalg.norm(patches - target, "nuc") + weight * np.abs(target).sum()

    target, _ = SMSL(growth=1.05, limit=500).split(patches)
    for size in (1e-3, 0.01, 0.1, 1):
        for _ in range(5):
            other = target + size * rng.normal(size=target.shape)
            assert objective(target) < objective(other)
        assert objective(target) < objective((1 + size) * target)
        assert objective(target) < objective((1 - size) * target)


def test_follows_the_gain():
    image = scene()
    score = SMSL().score(image)
    assert score.max() > 0.1
    np.testing.assert_allclose(SMSL().score(image / 2), score / 2, rtol=0, atol=1e-9)


def test_a_target_in_the_last_corner_is_seen():
    image = scene(70, 80)
    image[68, 78] = 200
    assert SMSL().score(image)[68, 78] > 0.1
