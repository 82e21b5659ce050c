import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from baselines.lowrank.patches import Grid
from baselines.lowrank.ript import RIPT, _svt_along
from baselines.lowrank.structure import scale_to_unit, structure_eigenvalues
from istsbench.data.synthetic import scene

GOLDEN = Path(__file__).parent / "golden" / "synthetic"


def edge_weights(image):
    large, small = structure_eigenvalues(image, before=1.2, window=2)
    return np.exp(scale_to_unit(large - small))


@pytest.mark.parametrize("name", ["sky", "clutter", "dark"])
def test_takes_as_many_iterations_as_the_reference(name):
    image = cv2.imread(str(GOLDEN / "inputs" / f"{name}.png"), cv2.IMREAD_GRAYSCALE).astype(float)
    grid = Grid.flush(image.shape, 30, 10)
    _, iterations = RIPT().split(grid.tensor(image), grid.tensor(edge_weights(image)))
    assert iterations == json.loads((GOLDEN / "ript.json").read_text())["iterations"][name]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_thresholds_the_singular_values_of_one_unfolding(axis):
    tensor = np.random.default_rng(0).normal(size=(4, 5, 6))

    def values(tensor):
        unfolding = np.moveaxis(tensor, axis, 0).reshape(tensor.shape[axis], -1)
        return np.linalg.svd(unfolding, compute_uv=False)

    shrunk = _svt_along(tensor, 4.0, axis, "cpu")
    np.testing.assert_allclose(values(shrunk), np.maximum(values(tensor) - 4, 0), atol=1e-7)
    # The part taken away is the nearest: its spectral norm is the threshold.
    np.testing.assert_allclose(values(tensor - shrunk).max(), 4, rtol=1e-9)


def test_turns_with_the_image():
    image = scene(60, 90)
    expected = RIPT().score(image).T
    assert expected.max() > 0
    np.testing.assert_allclose(RIPT().score(image.T), expected, rtol=0, atol=1e-8)


def test_ways_to_merge_differ_only_where_patches_overlap():
    image = scene(60, 90)
    mean, last = (RIPT(step=30, merge=merge).score(image) for merge in ("mean", "last"))
    np.testing.assert_allclose(mean, last, rtol=0, atol=1e-12)
    mean, last = (RIPT(merge=merge).score(image) for merge in ("mean", "last"))
    assert np.abs(mean - last).max() > 1


def test_edges_are_dearer_with_a_larger_exponent():
    image = np.random.default_rng(0).normal(60, 1, (60, 80))
    image[25:, 40:] += 60
    corner = np.s_[20:30, 35:45]
    cheap, dear = (RIPT(edges=edges).score(image)[corner].sum() for edges in (0, 5))
    assert dear < cheap
