"""Weights in 8 bits: what is kept of them, and that the network answers as before."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from baselines.cnn.acm import ACM
from istsbench.errors import WeightsError
from istsbench.networks.checkpoint import SCALE, read_weights, save_weights
from istsbench.networks.rounded import STEPS, WORTH, in_8_bits, round_weights


def test_each_weight_is_the_nearest_step_of_its_channel():
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(8, 64, 3, 3)).astype(np.float32)
    weight *= np.logspace(-3, 3, 8, dtype=np.float32)[:, None, None, None]
    weight[5] = 0
    kept = in_8_bits({"layer": weight})
    scale = kept["layer" + SCALE]
    assert kept["layer"].dtype == np.int8 and scale.shape == (8, 1, 1, 1)
    assert np.abs(kept["layer"]).max() == STEPS
    assert (np.abs(kept["layer"] * scale - weight) <= scale / 2 * 1.001).all()


def test_only_large_tensors_are_rounded():
    tensors = {
        "norm": np.linspace(0, 1, WORTH, dtype=np.float32),
        "small": np.ones((4, WORTH // 4 - 1), np.float32),
        "large": np.ones((4, WORTH // 4), np.float32),
        "steps": np.array(3),
    }
    kept = in_8_bits(tensors)
    assert {name: str(value.dtype) for name, value in kept.items()} == {
        "norm": "float32", "small": "float16", "large": "int8", "large" + SCALE: "float32",
        "steps": "int64",
    }  # fmt: skip


def test_a_rounded_network_answers_nearly_as_before_and_tells_its_bits(tmp_path):
    network = ACM().untrained(tmp_path)
    round_weights(network.weights, tmp_path / "rounded.safetensors")
    before, header = read_weights(network.weights)
    after, told = read_weights(tmp_path / "rounded.safetensors")
    assert told == {**header, "bits": 8}
    assert {name: value.shape for name, value in after.items()} == {
        name: value.shape for name, value in before.items()
    }
    assert (tmp_path / "rounded.safetensors").stat().st_size < 0.65 * network.weights.stat().st_size
    image = np.random.default_rng(1).uniform(0, 255, (64, 80))
    rounded = ACM(weights=tmp_path / "rounded.safetensors").score(image)
    assert 0 < np.abs(rounded - network.score(image)).max() < 0.02


def test_a_tensor_without_its_scale_and_a_changed_scale_are_refused(tmp_path):
    path, again = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_weights(path, {"large": np.ones((4, WORTH), np.float32)}, {"method": "acm"})
    round_weights(path, again)
    tensors = load_file(again)
    tensors["large" + SCALE] *= 2
    save_file(tensors, path, {"istsbench": json.dumps({"bits": 8, "sha256": "0"})})
    with pytest.raises(WeightsError, match="damaged"):
        read_weights(path)
    del tensors["large" + SCALE]
    save_file(tensors, path, {"istsbench": json.dumps({"bits": 8})})
    with pytest.raises(WeightsError, match=r"large is in 8 bits, and its large.scale is missing"):
        read_weights(path)
