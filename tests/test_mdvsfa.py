import dataclasses

import pytest
import torch

from baselines.cnn.mdvsfa import MDvsFA
from baselines.cnn.mdvsfa_net import (
    Adversaries,
    Clamp,
    Discriminator,
    Generators,
    Plain,
    Skipping,
    verdict,
)

RECIPE = dataclasses.replace(MDvsFA.recipes["paper"], patch=32)


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_weights_are_as_many_as_the_authors():
    assert count(Plain(64)) == 3_138_497
    assert count(Skipping(64)) == 629_825
    assert count(Discriminator()) == 151_276


def test_shapes_are_those_of_the_public_code():
    image = torch.rand(3, 1, 128, 128)
    scores, features = Discriminator().eval()(image, [image, image])
    assert [s.shape for s in scores] == [(3, 3)] * 2
    assert [f.shape for f in features] == [(3, 1, 32, 32)] * 2
    masks = Generators(4).eval().masks(image[..., :50])
    assert [m.shape for m in masks] == [(3, 1, 128, 50)] * 2
    assert all(((m >= 0) & (m <= 1)).all() for m in masks)


def test_the_clamp_lets_a_pixel_back_in_but_not_further_out():
    x = torch.tensor([-1.0, -1.0, 0.5, 2.0, 2.0], requires_grad=True)
    y = Clamp.apply(x)
    assert y.tolist() == [0, 0, 0.5, 1, 1]
    y.backward(torch.tensor([1.0, -1.0, 7.0, 1.0, -1.0]))
    assert x.grad.tolist() == [0, -1, 7, 1, 0]


def test_the_published_quirk_bounds_the_loss():
    """Perfect softmax scores, read as logits, still cost (log(1+1/e) + 2 log 2)/3."""
    sure = torch.tensor([[0.0, 1.0, 0.0]])
    assert verdict(sure, 1).item() == pytest.approx((0.31326 + 2 * 0.69315) / 3, abs=1e-4)
    assert verdict(sure, 0) > verdict(sure, 1)


def test_each_turn_moves_one_network_only(monkeypatch):
    torch.manual_seed(0)
    learner = Adversaries(Generators(2), RECIPE)
    order = []
    original = learner.descend

    def watched(name, loss):
        before = {k: [p.clone() for p in part.parameters()] for k, part in parts.items()}
        original(name, loss)
        moved = [
            k
            for k, part in parts.items()
            if any(not torch.equal(a, b) for a, b in zip(before[k], part.parameters(), strict=True))
        ]
        order.append((name, moved))

    parts = {
        "misses": learner.module.misses,
        "alarms": learner.module.alarms,
        "discriminator": learner.judge,
    }
    monkeypatch.setattr(learner, "descend", watched)
    masks = torch.zeros(2, 1, 32, 32)
    masks[..., 10:13, 10:13] = 1
    learner.step(torch.randn(2, 1, 32, 32), masks, 0.0)
    assert order == [(name, [name]) for name in ("discriminator", "misses", "alarms")]


def test_the_generators_weigh_errors_as_their_names_say():
    """One miss costs the first a hundred times the second, a false alarm a tenth."""
    torch.manual_seed(0)
    learner = Adversaries(Generators(2), RECIPE)
    masks = torch.zeros(1, 1, 32, 32)
    masks[..., 5, 5] = 1
    blank, full = torch.zeros_like(masks), torch.ones_like(masks)
    learner._moving(learner.module)
    learner.judge.eval()
    losses = {}
    for name in ("misses", "alarms"):
        for kind, answer in (("blank", blank), ("full", full)):
            learner.descend = lambda _, loss, key=(name, kind): losses.__setitem__(key, loss.item())
            learner._move(name, blank, masks, (answer, answer))
    pixels = masks.numel()
    for kind, misses, alarms in (("blank", 100, 1), ("full", pixels - 1, 10 * (pixels - 1))):
        gap = losses["misses", kind] - losses["alarms", kind]
        assert gap == pytest.approx(100 * (misses - alarms) / pixels, rel=1e-4)


def test_tempered_the_discriminator_has_a_hundredth_of_its_say():
    """With a mask that is right, a generator pays for nothing but the discriminator's view."""
    paid = {}
    for name in ("published", "tempered"):
        torch.manual_seed(0)
        learner = Adversaries(Generators(2), dataclasses.replace(RECIPE, loss=name))
        learner.judge.eval()
        learner.descend = lambda _, loss, name=name: paid.__setitem__(name, loss.item())
        masks = (torch.rand(2, 1, 32, 32) > 0.9).float()
        learner._move("misses", torch.zeros_like(masks), masks, (masks, 1 - masks))
    assert paid["tempered"] == pytest.approx(paid["published"] / 100) and paid["tempered"] > 0


def test_the_discriminator_keeps_its_rate():
    learner = Adversaries(Generators(2), RECIPE)
    learner.set_rates(0.9)
    rates = {name: o.param_groups[0]["lr"] for name, o in learner.optimizers.items()}
    assert rates == pytest.approx({"misses": 4e-6, "alarms": 4e-6, "discriminator": 1e-5})
