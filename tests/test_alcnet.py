import numpy as np
import pytest
import torch

from baselines.cnn.alcnet import ALCNet
from baselines.cnn.alcnet_net import (
    DIRECTIONS,
    SHIFTS,
    LocalModulation,
    multiscale_contrast,
    patch_contrast,
)

COUNTS = [
    (dict(channels=3), 372_573),
    (dict(), 372_285),
    (dict(blocks=3, channels=3), 275_357),
    (dict(blocks=3), 275_069),
    (dict(channels=3, stem="down4"), 374_117),
    (dict(blocks=3, channels=3, stem="down4"), 276_901),
]


@pytest.mark.parametrize("fields, count", COUNTS)
def test_weights_are_as_many_as_the_authors(fields, count):
    module = ALCNet(**fields).build()
    assert sum(p.numel() for p in module.parameters()) == count
    assert module.eval()(torch.zeros(1, 1, 96, 128)).shape == (1, 1, 96, 128)


def test_contrast_of_a_spot_by_hand():
    x = torch.zeros(1, 1, 9, 9)
    x[0, 0, 4, 4] = 3
    contrast = patch_contrast(x, 2)
    assert contrast[0, 0, 4, 4] == 9  # (0-3)(0-3) in every direction
    assert contrast.sum() == 9  # elsewhere one direction sees two equal cells


def test_contrast_is_blind_to_edges_and_to_sign():
    edge = torch.zeros(1, 1, 9, 9)
    edge[..., 4:] = 1
    assert patch_contrast(edge, 2).max() == 0
    torch.manual_seed(0)
    x = torch.randn(1, 2, 12, 11)
    torch.testing.assert_close(patch_contrast(x, 3), patch_contrast(-x, 3))


def test_contrast_equals_a_plain_loop_with_wrapped_borders():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 7))
    expected = np.full(x.shape, np.inf)
    for i in range(8):
        for j in range(7):
            for rows, columns in DIRECTIONS:
                ahead = x[(i + 3 * rows) % 8, (j + 3 * columns) % 7]
                behind = x[(i - 3 * rows) % 8, (j - 3 * columns) % 7]
                product = (ahead - x[i, j]) * (behind - x[i, j])
                expected[i, j] = min(expected[i, j], product)
    found = patch_contrast(torch.from_numpy(x)[None, None], 3)[0, 0].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)


def test_two_scales_take_the_larger():
    torch.manual_seed(0)
    x = torch.randn(1, 1, 40, 40)
    found = multiscale_contrast(x)
    torch.testing.assert_close(found, torch.maximum(patch_contrast(x, 13), patch_contrast(x, 17)))


def test_modulation_adds_the_shallow_map_and_gates_the_deep_one():
    module = LocalModulation(4).eval()
    torch.nn.init.zeros_(module.gate[3].weight)
    torch.nn.init.zeros_(module.gate[3].bias)
    deep, shallow = torch.rand(1, 4, 5, 5), torch.rand(1, 4, 5, 5)
    scale = 1 / (1 + module.deep.eps) ** 0.5
    torch.testing.assert_close(module(deep, shallow), (0.5 * deep + shallow) * scale)


@pytest.mark.parametrize("stem, least", [("tiny", 72), ("down4", 288)])
def test_small_images_are_padded_until_no_shift_comes_back(stem, least):
    network = ALCNet(blocks=1, stem=stem)
    assert 50 + network._missing(50) == network.smallest == least
    with torch.no_grad():
        deepest = network.build().eval().encoder(torch.zeros(1, 1, least, least))[-1]
    assert deepest.shape[2:] == (max(SHIFTS) + 1, max(SHIFTS) + 1)


def test_every_weight_learns():
    torch.manual_seed(0)
    module = ALCNet(blocks=1).build().train()
    module(torch.randn(2, 1, 80, 80)).pow(2).mean().backward()
    assert [name for name, p in module.named_parameters() if p.grad is None] == []
