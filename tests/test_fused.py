"""The kernels for a CPU do what torch does, forwards and backwards."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from istsbench.networks.fused import NormAct, fold, fuse
from istsbench.networks.kernels import fits
from istsbench.networks.recipe import autocast, on_threads
from istsbench.registry import create
from pixelgame.players import FDCN, MIM

LAST = torch.channels_last


def block(act):
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), act, nn.Conv2d(6, 5, 1), nn.BatchNorm2d(5)
    )
    with torch.no_grad():
        for norm in (layers[1], layers[4]):
            norm.weight.uniform_(-1, 2)
            norm.bias.normal_()
    return layers.to(memory_format=LAST)


def slopes(module, x, weights):
    x = x.clone().requires_grad_()
    y = module(x)
    (y.float() * weights).sum().backward()
    return [y.detach(), x.grad, *(p.grad for p in module.parameters())]


def close(found, expected, share):
    """Equal to a share of the largest value; a bias before a norm has no slope but rounding."""
    scale = max(float(other.detach().abs().max()) for other in expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.float(), other.float(), rtol=0, atol=share * scale)


@pytest.mark.parametrize("act", [nn.ReLU(), nn.LeakyReLU(0.1, inplace=True)])
def test_norm_and_activation_are_those_of_torch(act):
    plain = block(act)
    fused = copy.deepcopy(plain)
    names = list(fused.state_dict())
    fuse(fused)
    assert [type(layer) for layer in fused].count(NormAct) == 2
    assert list(fused.state_dict()) == names
    x = 3 + torch.randn(4, 3, 11, 9).contiguous(memory_format=LAST)
    weights = torch.randn(4, 5, 11, 9)
    assert fits(plain[0](x))
    close(slopes(fused, x, weights), slopes(plain, x, weights), 1e-5)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(fused.state_dict()[name], value, rtol=1e-5, atol=1e-6)
    close([fused.eval()(x)], [plain.eval()(x)], 1e-6)


def test_a_large_mean_costs_no_digits():
    norm = nn.BatchNorm2d(4)
    fused = NormAct(copy.deepcopy(norm), 1.0)
    x = (1e4 + torch.randn(2, 4, 40, 40)).contiguous(memory_format=LAST)
    expected = norm.double()(x.double())
    close([fused(x)], [expected], 1e-3)
    torch.testing.assert_close(fused.running_var.double(), norm.running_var, rtol=1e-5, atol=0.0)


def test_the_number_of_threads_changes_no_bit():
    fused = block(nn.ReLU())
    fuse(fused)
    features = torch.randn(5, 6, 12, 10).contiguous(memory_format=LAST)
    found = []
    for count in (1, 2):
        with on_threads(count):
            norm = copy.deepcopy(fused[1])
            found.append(slopes(norm, features, torch.ones(5, 6, 12, 10)))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("precision, share", [("fp32", 1e-5), ("bf16", 6e-2)])
def test_mim_is_the_same_in_few_passes(precision, share):
    torch.manual_seed(1)
    module = MIM(16)
    # Few levels, as bfloat16 has: many pixels share a maximum, and share its gradient.
    x = (torch.randn(3, 16, 12, 10) * 4).round() / 4
    weights = torch.randn(3, 16, 12, 10)
    expected = slopes(copy.deepcopy(module), x, weights)
    features = x.contiguous(memory_format=LAST)
    features = features.bfloat16() if precision == "bf16" else features
    assert fits(features) and not fits(x)
    with autocast(torch.device("cpu"), precision):
        close(slopes(module, features, weights), expected, share)


def test_a_folded_network_gives_the_same_map():
    torch.manual_seed(2)
    network = FDCN(3, 8, "mim").to(memory_format=LAST)
    with torch.no_grad():
        network(torch.randn(4, 1, 32, 32) + 1)  # statistics other than 0 and 1
    fused = copy.deepcopy(network)
    fuse(fused)
    network.eval()
    x = torch.randn(2, 1, 24, 20)
    for module in (network, fused):
        folded = fold(module)
        norms = [part for part in folded.encoder.modules() if isinstance(part, nn.BatchNorm2d)]
        assert norms == []
        with torch.inference_mode():
            torch.testing.assert_close(folded(x), network(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["acm", "alcnet", "mdvsfa-slim", "pixelgame-slim"])
def test_every_network_learns_the_same_with_the_kernels(name):
    network = create(name)
    found = []
    for kernels in (False, True):
        torch.manual_seed(0)
        module = network.build().to(memory_format=LAST)
        learner = network.learner(module, network.recipes["fast"])
        for part in learner.modules.values() if kernels else []:
            fuse(part)
        rng = np.random.default_rng(0)
        images = torch.from_numpy(rng.normal(size=(2, 1, 128, 128)).astype(np.float32))
        masks = (images > 2.5).float()
        torch.manual_seed(0)
        module.train()
        found.append(learner.step(images.contiguous(memory_format=LAST), masks, 0.5))
    for key, value in found[0].items():
        torch.testing.assert_close(found[1][key], value, rtol=1e-3, atol=1e-5)
