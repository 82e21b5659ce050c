import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from baselines.lowrank.patches import Grid
from baselines.lowrank.pstnn import PSTNN
from baselines.lowrank.structure import corner_prior

GOLDEN = Path(__file__).parent / "golden" / "synthetic"


@pytest.fixture
def sky():
    rng = np.random.default_rng(0)
    return 60 + np.add.outer(np.linspace(0, 20, 80), np.zeros(120)) + rng.normal(0, 0.5, (80, 120))


@pytest.mark.parametrize("name", ["sky", "clutter"])
def test_takes_as_many_iterations_as_the_reference(name):
    image = cv2.imread(str(GOLDEN / "inputs" / f"{name}.png"), cv2.IMREAD_GRAYSCALE).astype(float)
    grid = Grid.flush(image.shape, 40, 40)
    _, iterations = PSTNN().split(grid.tensor(image), grid.tensor(corner_prior(image)))
    assert iterations == json.loads((GOLDEN / "pstnn.json").read_text())["iterations"][name]


def test_nothing_is_left_for_the_target_if_all_values_are_spared(sky):
    sky[20:22, 30:32] += 80
    assert PSTNN().score(sky).max() > 0
    assert PSTNN(ratio=0).score(sky).max() == 0


def test_finds_two_targets_and_no_edge(sky):
    sky[:, 60:] += 60
    sky[20:22, 30:32] += 80
    sky[60:62, 95:97] += 80
    found = np.argwhere(PSTNN().score(sky) > 0)
    near = [np.abs(found - spot).max(axis=1) <= 2 for spot in ((20.5, 30.5), (60.5, 95.5))]
    assert near[0].any() and near[1].any()
    assert (near[0] | near[1]).all()


def test_goes_on_while_the_target_is_empty(sky):
    grid = Grid.flush(sky.shape, 40, 40)
    method = PSTNN(sparsity=30, iterations=4)
    target, iterations = method.split(grid.tensor(sky), grid.tensor(corner_prior(sky)))
    assert target.max() == 0
    assert iterations == 4


def test_last_patch_wins_at_the_border(sky):
    # 70 x 100 pixels: patches begin at rows 0, 30 and columns 0, 40, 60; a target at (33, 70)
    # lies in four of them.
    image = sky[:70, :100].copy()
    image[33, 70] += 80
    grid = Grid.flush(image.shape, 40, 40)
    target, _ = PSTNN().split(grid.tensor(image), grid.tensor(corner_prior(image)))
    assert PSTNN().score(image)[33, 70] == target[3, 10, -1] > 0
    assert len({target[y, x, k] for y, x, k in ((33, 30, 2), (3, 30, 3), (33, 10, 4))}) == 3
