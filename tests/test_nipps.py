import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from baselines.lowrank.nipps import NIPPS
from baselines.lowrank.patches import Grid

FOLDER = Path(__file__).parent / "golden" / "synthetic"
STORED = json.loads((FOLDER / "nipps_step3.json").read_text())


@pytest.fixture
def sky():
    image = cv2.imread(str(FOLDER / "inputs" / "sky.png"), cv2.IMREAD_GRAYSCALE)
    return image.astype(float)


@pytest.mark.parametrize("name", STORED["iterations"])
def test_passes_and_rank_are_the_references(name):
    image = cv2.imread(str(FOLDER / "inputs" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
    patches = Grid.flush(image.shape, patch=50, step=3).matrix(image.astype(float))
    _, passes, free = NIPPS(step=3, ratio=0.05).split(patches)
    assert passes == STORED["iterations"][name]
    assert free == STORED["per_image"][name]["N"]


def test_recovers_spikes_on_a_background_of_free_rank():
    rng = np.random.default_rng(0)
    background = rng.uniform(size=(80, 2)) @ rng.uniform(size=(2, 60)) * 100
    spikes = np.zeros((80, 60))
    spikes.flat[rng.choice(spikes.size, 40, replace=False)] = 50
    target, _, free = NIPPS(ratio=0.1).split(background + spikes)
    assert free == 2
    np.testing.assert_allclose(target, spikes, rtol=0, atol=1e-3)


def test_cold_spots_are_no_targets(sky):
    method = NIPPS(step=3, ratio=0.05)
    y, x = np.unravel_index(np.argmax(method.score(sky)), sky.shape)
    sky[y - 3 : y + 4, x - 3 : x + 4] = np.median(sky)
    sky[y - 1 : y + 2, x - 1 : x + 2] = 0
    assert method.score(sky)[y - 1 : y + 2, x - 1 : x + 2].max() < 1


def test_follows_the_gain(sky):
    method = NIPPS(step=3, ratio=0.05)
    score = method.score(sky)
    assert score.max() > 1
    np.testing.assert_allclose(method.score(sky / 4), score / 4, rtol=0, atol=1e-9)


def test_all_components_are_free_where_none_is_weak(sky):
    patches = Grid.flush(sky.shape, patch=50, step=10).matrix(sky)
    target, _, free = NIPPS().split(patches)
    assert free == patches.shape[1] and not target.any()
