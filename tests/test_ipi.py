import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from baselines.lowrank.ipi import IPI
from baselines.lowrank.patches import Grid
from istsbench.data.synthetic import scene

FOLDER = Path(__file__).parent / "golden" / "synthetic"
PASSES = json.loads((FOLDER / "ipi.json").read_text())["iterations"]


@pytest.mark.parametrize("name", PASSES)
def test_number_of_passes_is_the_references(name):
    image = cv2.imread(str(FOLDER / "inputs" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
    method = IPI()
    patches = Grid.inside(image.shape, method.patch, method.step).matrix(image.astype(float))
    patches = (patches - patches.min()) / np.ptp(patches)
    _, passes = method.split(patches, weight=1 / np.sqrt(max(image.shape)))
    assert passes == PASSES[name]


def plain_split(D, weight, passes):
    """The iteration as the paper has it: B and T apart, a full SVD in every pass."""
    A = before_A = E = before_E = np.zeros_like(D)
    t = before_t = 1
    values = np.linalg.svd(D, compute_uv=False)
    mu = values[1]
    for _ in range(passes):
        b = (before_t - 1) / t
        YA, YE = A + b * (A - before_A), E + b * (E - before_E)
        R = (YA + YE - D) / 2
        GA, GE = YA - R, YE - R
        u, s, vt = np.linalg.svd(GA, full_matrices=False)
        before_A, A = A, (u * np.maximum(s - mu / 2, 0)) @ vt
        before_E, E = E, np.sign(GE) * np.maximum(np.abs(GE) - weight * mu / 2, 0)
        before_t, t = t, (1 + np.sqrt(1 + 4 * t**2)) / 2
        mu = max(0.9 * mu, 0.005 * values[3])
    return E


# At the larger weight T is empty at first (25 x 60), or soon empty again (60 x 25).
@pytest.mark.parametrize("weight", [0.15, 0.7])
@pytest.mark.parametrize("shape", [(60, 25), (25, 60)])
def test_equals_the_plain_iteration(shape, weight):
    rng = np.random.default_rng(0)
    low, high = rng.uniform(size=(shape[0], 3)), rng.uniform(size=(3, shape[1]))
    patches = low @ high / 3 + (rng.uniform(size=shape) > 0.98) * 0.5
    for limit in (3, 20, 40):
        target, passes = IPI(limit=limit, rank_share=1).split(patches, weight)
        expected = plain_split(patches, weight, passes)
        np.testing.assert_allclose(target, expected, rtol=0, atol=1e-10)
    assert target.any() and passes > 10


def test_ignores_offset_and_gain():
    image = scene()
    score = IPI().score(image)
    assert score.max() > 0
    np.testing.assert_allclose(IPI().score(image / 2 + 40), score, rtol=0, atol=1e-10)


def test_a_pattern_that_repeats_with_the_step_is_background():
    image = np.tile(np.random.default_rng(0).uniform(0, 255, (10, 10)), (9, 9))
    assert not IPI().score(image).any()


def test_less_than_four_windows_give_an_empty_map():
    image = scene(55, 70)
    assert not IPI().score(image).any()
    assert IPI().score(scene(60, 70)).any()
