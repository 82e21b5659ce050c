"""Checkpoints of other code: the same network becomes a weight file of ours, others are refused."""

import argparse
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from istsbench.cli import app
from istsbench.errors import WeightsError, WrongUse
from istsbench.networks.convert import convert
from istsbench.networks.foreign import read_foreign
from istsbench.registry import choose, create

IMAGE = np.random.default_rng(0).uniform(0, 255, (96, 112)).round()
MEAN, STD = 101.06, 34.62
CLOSE = 1e-3  # probabilities of random networks, which magnify how float32 is rounded


def module_of(method="acm", seed=0, **parameters):
    """A network of ours with random weights and statistics, as other code may have trained it."""
    torch.manual_seed(seed)
    module = create(method, **parameters).build()
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.2)
            part.running_var.uniform_(0.5, 2)
            if part.affine:
                torch.nn.init.uniform_(part.weight, 0.5, 1.5)
    return module.eval()


def first_norm(channels, sign=1.0):
    """The batch norm of the input as others have it, with weights of its own."""
    norm = torch.nn.BatchNorm2d(channels).eval()
    norm.running_mean.uniform_(-0.5, 0.5)
    norm.running_var.uniform_(0.5, 2)
    torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
    torch.nn.init.uniform_(norm.bias, -0.5, 0.5)
    norm.weight.data[0] *= sign
    return norm.requires_grad_(False)


NAMES = {  # parts of ours and names that ports give to such parts
    "encoder.stem": "stem", "encoder.stage": "layer", "up": "deconv", "top_down": "topdown",
    "bottom_up": "bottomup", "main": "body", "shortcut": "downsample",
}  # fmt: skip


def renamed(module, norm=None):
    """The state dict of a module under other names, with the batch norm of a port in its place."""
    state = OrderedDict()
    if norm is not None:
        state |= {f"bn0.{name}": tensor for name, tensor in norm.state_dict().items()}
    for name, tensor in module.state_dict().items():
        if not name.startswith("encoder.input."):
            for ours, theirs in NAMES.items():
                name = name.replace(ours, theirs)
            state[name] = tensor
    return state


def expected(module, norm, image, mean=MEAN, std=STD):
    """The probability that the port gives: its normalisation, its batch norm, the rest of ours."""
    mean, std = (torch.tensor(np.atleast_1d(value)) for value in (mean, std))
    channels = module.channels
    planes = torch.from_numpy(image)[None, None].expand(1, channels, -1, -1)
    planes = ((planes - mean.view(1, -1, 1, 1)) / std.view(1, -1, 1, 1)).float()
    module.encoder.input = torch.nn.Identity()
    with torch.inference_mode():
        return module(planes if norm is None else norm(planes)).sigmoid()[0, 0].numpy()


def made(tmp_path, state, method="acm", **how):
    path = tmp_path / "net.pth.tar"
    torch.save(state, path)
    how = {"normalised": f"{MEAN},{STD}"} | how
    return convert(path, choose(method)[0], out=tmp_path / "w.safetensors", **how)


def score(done, image=IMAGE):
    return choose(done.spec)[0].create().score(image)


# ------------------------------------------------------------------ the same network


@pytest.mark.parametrize(
    "method, parameters",
    [
        ("acm", {}),
        ("acm", {"blocks": 4, "host": "fpn"}),
        ("acm", {"blocks": 4, "stem": "tiny", "channels": 3}),
        ("alcnet", {}),
        ("alcnet", {"blocks": 3, "channels": 3}),
    ],
    ids=str,
)
def test_the_size_is_found_and_the_maps_are_those_of_the_port(tmp_path, method, parameters):
    module = module_of(method, **parameters)
    norm = first_norm(module.channels)
    done = made(tmp_path, renamed(module, norm), method)
    network = choose(done.spec)[0].create()
    assert {key: getattr(network, key) for key in parameters} == parameters
    np.testing.assert_allclose(score(done), expected(module, norm, IMAGE), rtol=0, atol=CLOSE)
    assert any("bn0, a batch norm of the input, is folded into ours" in n for n in done.notes)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_first_batch_norm_that_inverts_is_folded_too(tmp_path, sign):
    module = module_of(channels=3, blocks=2)
    norm = first_norm(3, sign)
    done = made(tmp_path, renamed(module, norm))
    np.testing.assert_allclose(score(done), expected(module, norm, IMAGE), rtol=0, atol=CLOSE)


@pytest.mark.parametrize("with_norm", [True, False])
def test_normalisation_of_each_channel(tmp_path, with_norm):
    module = module_of(channels=3)
    norm = first_norm(3) if with_norm else None
    done = made(tmp_path, renamed(module, norm), normalised="imagenet")
    mean, std = 255 * np.array([0.485, 0.456, 0.406]), 255 * np.array([0.229, 0.224, 0.225])
    want = expected(module, norm, IMAGE, mean, std)
    np.testing.assert_allclose(score(done), want, rtol=0, atol=CLOSE)


def test_images_are_resized_as_the_port_does(tmp_path):
    done = made(tmp_path, renamed(module_of(), first_norm(1)), side=64)
    plain = made(tmp_path / "..", renamed(module_of(), first_norm(1)))
    assert score(done).shape == score(plain).shape == IMAGE.shape
    assert np.abs(score(done) - score(plain)).max() > 1e-3


# ------------------------------------------------------------------ how it may be wrapped


WAYS = {
    "alone": lambda state: state,
    "state_dict": lambda state: {"epoch": 400, "state_dict": state, "total_loss": [0.5, 0.4]},
    "model": lambda state: {"model": state, "optimizer": {"state": {}, "param_groups": []}},
    "net of net": lambda state: {"net": {"state_dict": state}},
    "DataParallel": lambda state: OrderedDict((f"module.{k}", v) for k, v in state.items()),
    "twice": lambda state: {"net": {f"module.module.{k}": v for k, v in state.items()}},
    "half": lambda state: {name: tensor.half() for name, tensor in state.items()},
    "numpy score": lambda state: {"state_dict": state, "mean_IOU": np.float64(0.7),
                                  "ious": np.ones(3)},
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_wrappers_and_prefixes(tmp_path, way):
    module, norm = module_of(blocks=1), first_norm(1)
    done = made(tmp_path, WAYS[way](renamed(module, norm)))
    atol = 5e-2 if way == "half" else CLOSE
    np.testing.assert_allclose(score(done), expected(module, norm, IMAGE), rtol=0, atol=atol)


def test_numbers_under_the_old_name_of_numpy(tmp_path):
    path = tmp_path / "old.pth"
    state = {"state_dict": {"a": torch.ones(2)}, "mean_IOU": np.float64(0.7)}
    torch.save(state, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    assert b"numpy._core.multiarray\nscalar" in data
    path.write_bytes(data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
    assert list(read_foreign(path)) == ["a"]


def test_of_two_state_dicts_one_is_named(tmp_path):
    module, norm = module_of(blocks=1), first_norm(1)
    state = {"model": renamed(module, norm), "net": renamed(module_of(blocks=1, seed=1), norm)}
    with pytest.raises(WeightsError, match="it holds state dicts model, net; .* name it by --key"):
        made(tmp_path, state)
    done = made(tmp_path, state, key="model")
    np.testing.assert_allclose(score(done), expected(module, norm, IMAGE), rtol=0, atol=CLOSE)
    with pytest.raises(WeightsError, match="nothing called 'ema'; it holds model "):
        made(tmp_path, state, key="ema")


# ------------------------------------------------------------------ what is refused


def test_another_network_is_refused_with_what_does_not_fit(tmp_path):
    state = renamed(module_of(), first_norm(1))
    state["fuse2.topdown.1.weight"] = torch.zeros(9, 32, 1, 1)
    text = (
        r"another network than ACM; closest is host=unet, blocks=3.*; only in the file: fuse2.top"
    )
    with pytest.raises(WeightsError, match=rf"{text}down.1.weight \(9x32x1x1\); only expected: fu"):
        made(tmp_path, state)


def test_an_extra_convolution_is_named(tmp_path):
    state = OrderedDict()
    for name, tensor in renamed(module_of(), first_norm(1)).items():
        if name == "fuse2.topdown.1.weight":
            state["fuse2.feature_high.0.weight"] = torch.zeros(32, 32, 1, 1)
        state[name] = tensor
    with pytest.raises(
        WeightsError,
        match=r"in the file: fuse2.feature_high.0.weight \(32x32x1x1\); only expected: no",
    ):
        made(tmp_path, state)


def test_parts_of_equal_shapes_in_another_order_are_refused(tmp_path):
    state = renamed(module_of(), first_norm(1))
    turned = OrderedDict()
    for name, tensor in state.items():
        other = {"topdown": "bottomup", "bottomup": "topdown"}
        part = next((one for one in other if one in name), "")
        turned[name.replace(part, other[part]) if part else name] = tensor
    with pytest.raises(
        WeightsError, match="fuse2.bottomup.1.weight stands where fuse2.top_down wa"
    ):
        made(tmp_path, turned)


def test_parts_that_no_name_tells_apart_are_noted(tmp_path):
    state = {f"t{n}.{name.rpartition('.')[2]}": tensor
             for n, (name, tensor) in enumerate(renamed(module_of(blocks=1)).items())}  # fmt: skip
    notes = made(tmp_path, state).notes
    assert any(
        "equal shapes in fuse2, told apart by their order: top_down is t" in n for n in notes
    )


@pytest.mark.parametrize(
    "held, message",
    [
        (argparse.Namespace(lr=1), "it holds argparse.Namespace, which is code and is not run"),
        (torch.nn.Conv2d(1, 1, 1), "it holds torch.nn.modules.conv.Conv2d, which is code"),
        ([torch.ones(1)], "it holds list, expected a state dict"),
        ({"epoch": 3}, r"it holds epoch \(int\); expected one state dict"),
        ({}, "it holds nothing; expected one state dict"),
        ({"a": torch.ones(1), "b": 3}, r"it holds a \(Tensor\), b \(int\); expected one state"),
    ],
)
def test_what_holds_no_state_dict_is_refused(tmp_path, held, message):
    with pytest.raises(WeightsError, match=message):
        made(tmp_path, held)


class Evil:
    def __reduce__(self):
        return print, ("this ran",)


@pytest.mark.parametrize("way", ["torch", "pickle"])
def test_code_in_a_checkpoint_is_never_run(tmp_path, capsys, way):
    path = tmp_path / "evil.pth"
    state = {"state_dict": renamed(module_of(blocks=1)), "more": Evil()}
    if way == "torch":
        torch.save(state, path)
    else:
        path.write_bytes(pickle.dumps(state, protocol=2))
    with pytest.raises(WeightsError, match="evil.pth: "):
        read_foreign(path)
    assert "this ran" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "data", [b"", b"not a checkpoint", b"PK\x03\x04" + bytes(60), b"\x80\x02."]
)
def test_hostile_bytes_are_refused(tmp_path, data):
    (tmp_path / "x.pth").write_bytes(data)
    with pytest.raises(WeightsError, match="x.pth: not a checkpoint of PyTorch"):
        read_foreign(tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="y.pth: cannot be read"):
        read_foreign(tmp_path / "y.pth")


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "a,b", "1,0", "1,nan", "mean"])
def test_a_normalisation_that_is_none_is_refused(tmp_path, text):
    with pytest.raises(WrongUse, match="expected MEAN,STD in grey levels"):
        made(tmp_path, renamed(module_of(blocks=1)), normalised=text)


def test_imagenet_is_for_three_channels(tmp_path):
    with pytest.raises(WrongUse, match="imagenet normalises 3 channels, this network takes 1"):
        made(tmp_path, renamed(module_of(blocks=1)), normalised="imagenet")


def test_a_method_without_weights_and_values_that_are_no_numbers(tmp_path):
    state = renamed(module_of(blocks=1), first_norm(1))
    with pytest.raises(WrongUse, match="tophat is no network"):
        made(tmp_path, state, "tophat")
    with pytest.raises(WrongUse, match="host is 'fpm', expected 'unet' or 'fpn'"):
        made(tmp_path, state, "acm(host=fpm)")
    with pytest.raises(WrongUse, match="the checkpoint itself; expected another file"):
        convert(tmp_path / "w", choose("acm")[0], "0,255", tmp_path / "w")
    state["head.1.bias"] = state["head.1.bias"] * float("nan")
    with pytest.raises(WeightsError, match="NaN or infinite values in what is head.1.bias here"):
        made(tmp_path, state)
    assert not (tmp_path / "w.safetensors").exists()


# ------------------------------------------------------------------ the command


def test_the_command_says_how_to_use_what_it_made(toy_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": renamed(module_of(blocks=2), first_norm(1))}, tmp_path / "n.pth")
    words = ["convert", tmp_path / "n.pth", "--method", "acm", "--normalised", f"{MEAN},{STD}"]
    words += ["--out", "my weights, 2.safetensors"]
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exit_code == 0, done.output
    spec = next(line for line in done.output.splitlines() if line.startswith("use: ")).split('"')[1]
    words = ["run", "--methods", spec, "--dataset", f"folder:{toy_folder}", "--out", tmp_path]
    ran = CliRunner().invoke(app, [*map(str, words)])
    assert ran.exit_code == 0 and "weights of which no training is known" in ran.output, ran.output
