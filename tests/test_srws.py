import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from baselines.lowrank.srws import SRWS
from istsbench.data.synthetic import scene

FOLDER = Path(__file__).parent / "golden" / "synthetic"
PASSES = json.loads((FOLDER / "srws.json").read_text())["iterations"]


@pytest.mark.parametrize("name", PASSES)
def test_number_of_passes_is_the_references(name):
    image = cv2.imread(str(FOLDER / "inputs" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
    count = PASSES[name]
    map_then = SRWS(limit=count).score(image.astype(float))
    np.testing.assert_array_equal(map_then, SRWS().score(image.astype(float)))
    if count > 1:
        assert not np.array_equal(map_then, SRWS(limit=count - 1).score(image.astype(float)))


def plain_split(X, edges, side, passes):
    """The iteration with every variable of the paper but the inert P and Q."""
    n = X.shape[1]
    one = np.ones((1, n))
    Z, Y3, Y2 = np.zeros((n, n)), np.zeros((n, n)), np.zeros((1, n))
    E, T, Y1 = np.zeros_like(X), np.zeros_like(X), np.zeros_like(X)
    mu = 1 / (5 * X.std(ddof=1))
    for _ in range(passes):
        J = Z + Y3 / mu
        right = X.T @ (mu * (X - E - T) + Y1) + one.T @ (mu - Y2) + mu * J - Y3
        Z = np.linalg.solve(2 * np.eye(n) + mu * (X.T @ X + one.T @ one + np.eye(n)), right)
        R = X - X @ Z - T + Y1 / mu
        E = R * np.maximum(1 - 1 / np.sqrt(side) / mu / np.linalg.norm(R, axis=0), 0)
        R = X - X @ Z - E + Y1 / mu
        T = np.sign(R) * np.maximum(np.abs(R) - 0.09 / np.sqrt(side) * edges / mu, 0)
        F = X - X @ Z - E - T
        Y1, Y2, Y3 = Y1 + mu * F, Y2 + mu * (one @ Z - 1), Y3 + mu * (Z - J)
        mu *= 1.5
    return T


def test_equals_the_plain_iteration():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(60, 2)) @ rng.uniform(size=(2, 25)) + 0.01 * rng.normal(size=(60, 25))
    X[rng.uniform(size=X.shape) > 0.97] += 1
    edges = rng.uniform(1, 7, X.shape)
    passes = set()
    for limit in (1, 2, 3, 10):
        target, count = SRWS(limit=limit).split(X, edges, side=80)
        np.testing.assert_allclose(target, plain_split(X, edges, 80, count), rtol=0, atol=1e-12)
        passes.add(count)
    assert target.any() and max(passes) > 2


def test_rising_edges_weigh_most_and_falling_ones_least():
    image = np.zeros((40, 60))
    image[:, 20:40] = 100
    edges = SRWS().edges(image)
    assert edges.min() == 1 and edges.max() == pytest.approx(np.exp(2))
    # The derivative is on both pixels at the step, the windows of 4 lie at -1 .. +2.
    columns = edges[20]
    assert np.flatnonzero(np.isclose(columns, np.exp(2))).tolist() == [18, 19, 20]
    assert np.flatnonzero(np.isclose(columns, 1)).tolist() == [38, 39, 40]
    np.testing.assert_allclose(columns[:17], np.e, rtol=1e-12)


def test_edges_of_a_flat_image_weigh_nothing():
    np.testing.assert_array_equal(SRWS().edges(np.full((8, 9), 7.0)), np.ones((8, 9)))


def test_a_window_that_would_touch_the_far_border_is_left_out():
    image = scene(70, 70)
    image[62, 30] = image[30, 62] = image[30, 45] = 255
    score = SRWS().score(image)
    assert score[30, 45] > 0 and not score[60:].any() and not score[:, 60:].any()
    assert SRWS().score(scene(71, 71))[:, :60].any()
