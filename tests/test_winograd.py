"""The convolution in fewer multiplications is the convolution."""

import copy

import pytest
import torch
from torch import nn

from istsbench.data.synthetic import scene
from istsbench.networks.fused import fold
from istsbench.networks.recipe import Preprocessing, autocast, on_threads, place
from istsbench.networks.winograd import Winograd, suits, tiles_along
from istsbench.registry import create

LAST = torch.channels_last


def convolution(inputs, outputs, dilation, bias=True):
    conv = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=bias)
    return conv.to(memory_format=LAST).requires_grad_(False)


def features(images, channels, height, width):
    return torch.randn(images, channels, height, width).contiguous(memory_format=LAST)


def direct(conv, slope, x):
    """In float64."""
    return nn.functional.leaky_relu(copy.deepcopy(conv).double()(x.double()), slope)


@pytest.mark.parametrize(
    "inputs, outputs, dilation, height, width, slope, bias",
    [
        (16, 16, 1, 8, 8, 1.0, True),
        (16, 32, 1, 37, 45, 0.1, True),
        (32, 16, 2, 31, 70, 0.0, False),
        (16, 16, 3, 25, 23, 0.1, True),
        (48, 16, 4, 16, 100, 1.0, False),
        (16, 16, 16, 65, 128, 0.1, True),
        (128, 128, 2, 40, 51, 0.1, True),
    ],
)
def test_it_is_the_convolution(inputs, outputs, dilation, height, width, slope, bias):
    torch.manual_seed(0)
    conv, x = convolution(inputs, outputs, dilation, bias), features(1, inputs, height, width)
    layer = Winograd(conv, slope)
    assert suits(conv) and layer.takes(x)
    found = layer(x)
    assert found.is_contiguous(memory_format=LAST)
    torch.testing.assert_close(found.double(), direct(conv, slope, x), rtol=0, atol=1e-5)


def test_every_place_is_written_once_and_the_batch_changes_no_bit():
    torch.manual_seed(1)
    layer, x = Winograd(convolution(16, 16, 2), 0.1), features(3, 16, 33, 41)
    together = layer(x)
    for number in range(3):
        alone = layer(x[number : number + 1].contiguous(memory_format=LAST))
        assert torch.equal(together[number], alone[0])


def test_the_number_of_threads_changes_no_bit():
    torch.manual_seed(2)
    layer, x = Winograd(convolution(16, 32, 2), 0.1), features(1, 16, 61, 90)
    found = []
    for count in (1, 2, 3):
        with on_threads(count):
            found.append(layer(x))
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


def test_a_pixel_reaches_its_neighbours_alone():
    conv = convolution(16, 16, 3, bias=False)
    x = torch.zeros(1, 16, 40, 50).contiguous(memory_format=LAST)
    x[0, 5, 0, 49] = 1
    found = Winograd(conv, 1.0)(x)
    reached = found[0].abs().amax(0) > 1e-6
    assert reached.nonzero().tolist() == [[0, 46], [0, 49], [3, 46], [3, 49]]


@pytest.mark.parametrize(
    "changes",
    [
        {"kernel_size": 1, "padding": 0},
        {"stride": 2},
        {"padding": 0},
        {"dilation": (1, 2), "padding": (1, 2)},
        {"groups": 2},
        {"padding_mode": "reflect"},
        {"in_channels": 20},
        {"out_channels": 1},
    ],
)
def test_other_convolutions_do_not_suit(changes):
    usual = {"in_channels": 16, "out_channels": 16, "kernel_size": 3, "padding": 1}
    assert suits(nn.Conv2d(**usual))
    assert not suits(nn.Conv2d(**{**usual, **changes}))


def test_what_it_does_not_take_is_left_to_torch():
    torch.manual_seed(3)
    conv, x = convolution(16, 16, 4), features(1, 16, 48, 48)
    layer = Winograd(conv, 0.1)
    assert layer.takes(x)
    for other in (
        x.contiguous(),  # another order in memory
        x.double(),
        features(1, 16, 5, 48),  # lower than a tile
    ):
        layer.conv = copy.deepcopy(conv).to(other.dtype)
        assert not layer.takes(other)
        expected = direct(conv, 0.1, other)
        torch.testing.assert_close(layer(other).double(), expected, rtol=0, atol=1e-5)
    layer.conv = conv
    with autocast(torch.device("cpu"), "bf16"):
        assert not layer.takes(x)
        assert layer(x).dtype == torch.bfloat16


def test_slopes_are_not_lost():
    conv, x = convolution(16, 16, 1), features(1, 16, 16, 16).requires_grad_()
    layer = Winograd(conv, 0.1)
    assert not layer.takes(x)
    layer(x).sum().backward()
    assert x.grad is not None and x.grad.abs().max() > 0
    with torch.no_grad():
        assert layer.takes(x)


def test_tiles_cover_a_side():
    for side in range(1, 40):
        for dilation in (1, 2, 3, 8):
            starts = [top for top in range(side) if top // dilation % 4 == 0]
            assert tiles_along(side, dilation) == len(starts)


@pytest.mark.parametrize("name", ["pixelgame-slim", "mdvsfa-slim", "acm", "alcnet"])
def test_maps_of_the_networks_are_those_of_plain_layers(name):
    network = create(name).pretrained("nuaa")
    plain, header = network.load(network.weights)
    folded = place(fold(plain), torch.device("cpu"))
    taken = [part for part in folded.modules() if isinstance(part, Winograd)]
    seen = []
    for part in taken:
        part.register_forward_pre_hook(lambda part, inputs: seen.append(part.takes(*inputs)))
    image = scene(160, 144)
    x = torch.from_numpy(Preprocessing(**header["preparation"])(image))[None, None]
    with torch.inference_mode():
        found, expected = network.outputs(folded, x), network.outputs(plain, x)
    assert len(seen) == len(taken) and sum(seen) > len(taken) / 2
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=0, atol=1e-5)
