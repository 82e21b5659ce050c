import numpy as np
import pytest
import torch

from baselines.cnn.acm import ACM
from baselines.cnn.acm_net import FPN, Modulation, UNet
from baselines.cnn.alcnet import ALCNet
from baselines.cnn.blocks import PRIOR
from istsbench.data.synthetic import scene

COUNTS = [
    (dict(channels=3), 397_965),
    (dict(), 397_821),
    (dict(blocks=4, channels=3), 518_413),
    (dict(blocks=4), 518_269),
    (dict(blocks=4, channels=3, stem="tiny"), 516_869),
    (dict(host="fpn", channels=3), 289_965),
    (dict(host="fpn", blocks=4, channels=3), 387_181),
    (dict(host="fpn", blocks=4), 387_037),
    (dict(host="fpn", blocks=4, channels=3, stem="tiny"), 385_637),
]


@pytest.mark.parametrize("fields, count", COUNTS)
def test_weights_are_as_many_as_the_authors(fields, count):
    module = ACM(**fields).build()
    assert sum(p.numel() for p in module.parameters()) == count
    assert module.eval()(torch.zeros(1, 1, 96, 128)).shape == (1, 1, 96, 128)


def test_modulation_by_hand():
    """With gates of 1/2 on both sides, s is the sum of both maps."""
    module = Modulation(8).eval()
    for gate in (module.top_down, module.bottom_up):
        torch.nn.init.zeros_(gate[-3].weight)
        torch.nn.init.zeros_(gate[-3].bias)
    torch.nn.init.dirac_(module.post[0].weight)
    torch.nn.init.zeros_(module.post[0].bias)
    deep, shallow = torch.rand(2, 8, 5, 6), torch.rand(2, 8, 5, 6)
    scale = 1 / (1 + module.post[1].eps) ** 0.5
    torch.testing.assert_close(module(deep, shallow), (deep + shallow) * scale)


def test_the_pooled_deep_map_gates_the_shallow_one_as_a_whole():
    torch.manual_seed(0)
    module = Modulation(8).eval()
    deep = torch.rand(1, 8, 4, 4)
    moved = deep.roll(1, 3)  # the same mean, other places
    torch.testing.assert_close(module.top_down(deep), module.top_down(moved))
    assert not torch.equal(module.bottom_up(deep), module.bottom_up(moved))


def test_copies_of_the_grey_channel_go_in():
    module = UNet(3, 1, "down4").eval()
    seen = []
    module.encoder.input.register_forward_hook(lambda part, inputs, output: seen.append(inputs[0]))
    image = torch.rand(1, 1, 32, 32)
    module(image)
    torch.testing.assert_close(seen[0], image.repeat(1, 3, 1, 1))


@pytest.mark.parametrize("kind", [UNet, FPN])
def test_it_starts_at_the_prior_and_every_weight_learns(kind):
    torch.manual_seed(0)
    module = kind(1, 1, "down4").train()
    logits = module(torch.randn(2, 1, 32, 32))
    assert abs(logits.mean().item() - PRIOR) < 1
    logits.pow(2).mean().backward()
    without = [name for name, p in module.named_parameters() if p.grad is None]
    assert without == []


@pytest.mark.parametrize("method", [ACM(), ACM(host="fpn"), ALCNet(blocks=1)])
def test_targets_of_a_few_images_are_learned_by_heart(method):
    images = np.stack([np.roll(scene(64, 64, seed), 5 * seed, 1) for seed in range(6)])
    masks = np.zeros((6, 1, 64, 64), np.float32)
    for seed in range(6):
        masks[seed, 0, 31:34, 31 + 5 * seed : 34 + 5 * seed] = 1
    inputs, masks = torch.tensor((images - 100) / 40).float()[:, None], torch.tensor(masks)
    torch.manual_seed(0)
    learner = method.learner(method.build().train(), method.recipes["fast"])
    for _ in range(60):
        learner.step(inputs, masks, 0.0)
    found = learner.module(inputs).sigmoid().detach()
    assert found[masks > 0].mean() > 0.3 > 30 * found[masks == 0].mean()


def test_an_unknown_host_is_named():
    with pytest.raises(ValueError, match="host is 'vgg', expected 'unet' or 'fpn'"):
        ACM(host="vgg").build()
