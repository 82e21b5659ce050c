"""A training that begins with other weights: of the same network, or of a narrower one."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from toys import few

from baselines.cnn.acm import ACM
from baselines.cnn.alcnet import ALCNet
from istsbench.errors import MissingWeights, Stopped
from istsbench.networks.checkpoint import read_images, read_weights, save_weights
from istsbench.networks.training import train
from istsbench.networks.widening import Start, widen
from istsbench.registry import choose
from istsbench.results.results import Results
from istsbench.results.trained import weights_told
from istsbench.runs.run import run
from pixelgame.segmenter import PixelGame

QUICK = {"patch": 32, "batch": 2, "side": 64, "epochs": 1, "precision": "fp32"}


@pytest.fixture(scope="module")
def toy():
    return few(train=2, val=1, test=2)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    return PixelGame(width=4, attention="none").untrained(tmp_path_factory.mktemp("narrow"))


def answers(module, image):
    with torch.inference_mode():
        return [part.numpy() for part in module.eval().logits(image)]


def test_the_wide_network_answers_as_the_narrow_one_and_its_copies_come_apart(narrow):
    wide = PixelGame(width=12, attention="none")
    module, small = wide.build(), narrow.load(narrow.weights)[0]
    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    given = Start.read(narrow.weights, wide).fitted(shapes, seed=0)
    module.load_state_dict({name: torch.from_numpy(value) for name, value in given.items()})
    image = torch.randn(1, 1, 40, 48)
    for one, other in zip(answers(module, image), answers(small, image), strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    copies = given["fns.encoder.1.0.weight"][:3]  # of one channel
    assert np.abs(copies[0] - copies[1]).max() > 1e-3
    assert np.array_equal(given["fns.encoder.1.1.weight"][0], given["fns.encoder.1.1.weight"][2])


def test_a_seed_decides_the_shares_and_they_sum_to_the_weight():
    tensor = np.random.default_rng(1).normal(size=(2, 3, 3, 3)).astype(np.float32)
    first, again, other = (
        widen(tensor, (4, 6, 3, 3), np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    whole = first.reshape(4, 3, 2, 3, 3).sum(2)
    assert whole == pytest.approx(np.repeat(tensor, 2, axis=0), abs=1e-6)
    assert (first / np.repeat(np.repeat(tensor, 2, 0), 2, 1)).min() > 0.25


def test_a_start_of_the_same_width_is_the_weights_themselves(narrow, toy, tmp_path):
    tensors, _ = read_weights(narrow.weights)
    shapes = {name: value.shape for name, value in tensors.items()}
    given = Start.read(narrow.weights, narrow).fitted(shapes, seed=3)
    assert all(np.array_equal(given[name], tensors[name]) for name in tensors)


def test_the_weights_tell_what_they_began_with_and_what_that_had_learnt_from(toy, tmp_path):
    begun = {"architecture": ACM(blocks=1).architecture(), "method": "acm", "images": ["x" * 16]}
    begun |= {"plan": {"dataset": "nuaa", "split": "train", "recipe": {"epochs": 7}, "seed": 0}}
    begun |= {"command": "istsbench train 'acm(blocks=1)' --dataset nuaa --out DIR"}
    tensors, _ = read_weights(ACM(blocks=1).untrained(tmp_path).weights)
    file = tmp_path / "begun.safetensors"
    save_weights(file, tensors, begun)
    trained = train(ACM(blocks=1), toy, tmp_path / "out", start=file, **QUICK)
    header = read_weights(trained.weights)[1]
    told = header["plan"]["start"]
    assert told.startswith("acm(blocks=1) of nuaa/train, 7 epochs (sha256 ")
    assert "--start FILE" in header["command"] and "x" * 16 in read_images(trained.weights)
    (choice,) = choose(f"acm(blocks=1, weights={trained.weights})")
    outcome = run([choice], toy, tmp_path / "results", show=False)
    record = Results.load(outcome.folder)
    (line,) = weights_told(record)
    assert "(1 epochs, begun with weights of acm(blocks=1) of nuaa/train, 7 epochs)" in line


def test_the_same_start_goes_on_and_another_is_refused(narrow, toy, tmp_path):
    wide = PixelGame(width=8, attention="none")
    options = {**QUICK, "epochs": 2, "start": narrow.weights}
    train(wide, toy, tmp_path / "whole", **options)
    train(wide, toy, tmp_path / "pieces", max_minutes=0, **options)
    with pytest.raises(Stopped, match="'start': .*another training|another training.*'start'"):
        train(wide, toy, tmp_path / "pieces", **{**options, "start": None})
    train(wide, toy, tmp_path / "pieces", **options)
    logs = [pd.read_csv(tmp_path / name / "log.csv") for name in ("whole", "pieces")]
    assert logs[0].drop(columns="seconds").equals(logs[1].drop(columns="seconds"))


@pytest.mark.parametrize(
    "network, said",
    [
        (ALCNet(blocks=1), "holds weights of PixelGame, not of ALCNet"),
        (PixelGame(width=6, attention="none"), r"needed is \(6, .*a whole multiple of channels"),
        (PixelGame(width=2, attention="none"), "a whole multiple of channels"),
        (PixelGame(width=8, attention="se"), r"is of other layers: \S+ is in one network only"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(narrow, toy, tmp_path, network, said):
    with pytest.raises(Stopped, match=said):
        train(network, toy, tmp_path / "out", start=narrow.weights, **QUICK)


def test_a_start_may_be_a_data_set_and_must_be_there(toy, tmp_path):
    assert Start.read("nuaa", ACM()).told.startswith("acm of nuaa/train, 100 epochs")
    with pytest.raises(MissingWeights, match="neither a file nor a data set"):
        train(ACM(), toy, tmp_path, start="nowhere", **QUICK)
    shutil.rmtree(tmp_path)
