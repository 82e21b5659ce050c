import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from baselines.lowrank.wsnmstipt import WSNMSTIPT, rank, schatten_shrink
from istsbench.data.synthetic import scene

GOLDEN = Path(__file__).parent / "golden" / "synthetic"


@pytest.mark.parametrize("name", ["sky", "clutter", "dark"])
def test_takes_as_many_iterations_as_the_reference(name):
    image = cv2.imread(str(GOLDEN / "inputs" / f"{name}.png"), cv2.IMREAD_GRAYSCALE).astype(float)
    _, iterations = WSNMSTIPT(sparsity=1.0).split(image)
    golden = json.loads((GOLDEN / "wsnmstipt_lam1_tol.json").read_text())
    assert iterations == golden["iterations"][name]


def test_shrinking_by_hand():
    # Power 1 is the soft threshold w: 4 -> 3.25 -> 4 - 3/3.25 -> ..., 2 -> 0.5 -> 0, 1 -> 0.
    third = 4 - 3 / (4 - 3 / 3.25)
    shrunk = schatten_shrink(np.array([4.0, 2.0, 1.0, 0.0]), 3.0, 1.0)
    np.testing.assert_allclose(shrunk, [third, 0, 0, 0], rtol=1e-12)


def test_shrinking_solves_the_scalar_problem():
    # Stationary point of w x^p + (x - s)^2 / 2 with w = weight / x; one inner step misses by 0.08.
    (x,) = schatten_shrink(np.array([100.0]), 2000.0, 0.8)
    assert x == pytest.approx(100 - 0.8 * (2000 / x) * x**-0.2, abs=0.02)


def test_shrinking_keeps_its_argument():
    values = np.array([9.0, 3.0, 0.1])
    schatten_shrink(values, 2.0, 0.8)
    np.testing.assert_array_equal(values, [9, 3, 0.1])


def test_rank_of_a_sparse_map():
    sparse = np.zeros((20, 30))
    assert rank(sparse, 1e-6) == 0
    sparse[3:5, 7:10] = np.outer([1, 2], [3, 4, 5])
    assert rank(sparse, 1e-6) == 1
    sparse[12, 20] = 1e-7
    assert rank(sparse, 1e-6) == 1
    sparse[12, 20] = 1e-5
    assert rank(sparse, 1e-6) == 2


def test_turns_with_the_image():
    image = scene(60, 90)
    image[10, 70] = 255
    expected = WSNMSTIPT().score(image).T
    assert expected.max() > 0
    np.testing.assert_allclose(WSNMSTIPT().score(image.T), expected, rtol=0, atol=1e-8)


def test_stops_at_once_where_the_first_target_is_empty():
    image = np.random.default_rng(0).normal(60, 1, (60, 80))
    target, iterations = WSNMSTIPT().split(image)
    assert iterations == 1
    assert target.max() == 0
