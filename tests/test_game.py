import dataclasses

import pytest
import torch

from pixelgame.game import Game
from pixelgame.players import Players
from pixelgame.segmenter import PixelGame
from pixelgame.utility import FNS, FPS

RECIPE = dataclasses.replace(PixelGame.recipes["fast"], lr=1e-2)


@pytest.fixture
def batch():
    torch.manual_seed(0)
    images = torch.randn(2, 1, 24, 24)
    masks = torch.zeros(2, 1, 24, 24)
    masks[:, :, 10:13, 10:13] = 1
    return images + 3 * masks, masks


def game(loss="balanced"):
    torch.manual_seed(1)
    return Game(Players(8, "mim"), dataclasses.replace(RECIPE, loss=loss))


@pytest.mark.parametrize("loss", ["balanced", "paper", "bce-iou"])
def test_a_player_moves_by_its_own_utility_alone(batch, loss):
    """Its gradient is that of its utility with the other's answer held fixed."""
    images, masks = batch
    learner = game(loss)
    expected = {}
    for player, part, index in ((FNS, learner.module.fns, 0), (FPS, learner.module.fps, 1)):
        logits = learner.module.logits(images)
        terms = learner.utility(player, logits[index], logits[1 - index], masks, 0.7)
        gradients = torch.autograd.grad(sum(terms.values()), list(part.parameters()))
        expected[player] = gradients
    found = {}
    for name, optimizer in learner.optimizers.items():
        optimizer.step = lambda name=name: found.setdefault(
            name, [p.grad.clone() for p in learner.optimizers[name].param_groups[0]["params"]]
        )
    learner.step(images, masks, 0.7)
    for player in (FNS, FPS):
        for own, other in zip(found[player], expected[player], strict=True):
            torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-6)


def test_the_game_separates_the_players(batch):
    """The loose player covers more than the strict one, and both find the target."""
    learner = game()
    shown = {}
    for step in range(60):
        shown = learner.step(*batch, step / 60)
    assert shown["fns_area"] > 0.9 * 9 / 576
    assert shown["fns_utility"] < 2 and shown["fps_utility"] < 2
    probability = learner.module.eval()(batch[0]).sigmoid()
    assert (probability[batch[1] > 0] > 0.5).float().mean() > 0.8


def test_diagnosis_changes_nothing(batch):
    learner = game()
    learner.step(*batch, 0.0)
    learner.module.train()
    before = {k: v.clone() for k, v in learner.module.state_dict().items()}
    drawn = torch.get_rng_state()
    gaps = learner.diagnose(*batch, 0.5)
    assert set(gaps) == {"fns_gap", "fps_gap"}
    assert gaps["fns_gap"] > 0  # far from an equilibrium at the start
    for name, value in learner.module.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in learner.module.parameters())


def test_a_dead_player_is_reported_once_the_start_is_over():
    learner = game()
    means = {"fns_area": 0.0, "fps_area": 1e-3}
    assert learner.complaints(means, 0.1) == []
    assert learner.complaints(means, 0.5) == ["the fns-player is dead: it marks no pixel"]
    assert learner.complaints({**means, "fns_utility": float("nan")}, 0.0) == ["fns_utility is nan"]
