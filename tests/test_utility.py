import math

import pytest
import torch

from baselines.cnn.losses import soft_iou
from pixelgame import utility
from pixelgame.utility import FNS, FPS, TERMS, UTILITIES, Counts, find


def scene():
    g = torch.zeros(1, 1, 4, 5)
    g[0, 0, 1, 1:3] = 1
    o = torch.full_like(g, 0.1)
    o[0, 0, 1, 1] = 0.9
    return o, g


def value(name, term, player, o, other, g, progress=1.0):
    return find(name)[term](player, torch.logit(o), torch.logit(other), g, progress).item()


def test_soft_counts_by_hand():
    c = Counts.of(*scene())
    assert c.tp.item() == pytest.approx(0.9 + 0.1)
    assert c.fn.item() == pytest.approx(1.0)
    assert c.fp.item() == pytest.approx(1.8)
    assert c.tn.item() == pytest.approx(18 - 1.8)


def test_the_paper_s_terms_by_hand():
    o, g = scene()
    assert value("paper", "U", FNS, o, o, g) == pytest.approx(1 / 17.2, rel=1e-4)
    assert value("paper", "U", FPS, o, o, g) == pytest.approx(1.8 / 2.8, rel=1e-4)
    # errors 0.1 on 19 pixels and 0.9 on one: their squares are multiplied
    assert value("paper", "G", FNS, o, o, g) == pytest.approx((19e-4 + 0.9**4) ** 0.5, rel=1e-4)
    assert value("paper", "A", FNS, o, o, g) == pytest.approx(2.8 / 20, rel=1e-4)


def test_the_paper_s_own_aim_and_area_cancel_on_a_target():
    """Why the printed sum does not train: on a target -1/(TN+FN) meets +1/N."""
    g = torch.zeros(1, 1, 64, 64)
    g[0, 0, 5, 5] = 1
    logits = torch.full_like(g, -4.0, requires_grad=True)
    terms = find("paper:U+A")
    total = sum(term(FNS, logits, logits.detach(), g, 0.0) for term in terms.values())
    total.backward()
    alone = torch.autograd.grad(find("paper:U")["U"](FNS, logits, logits.detach(), g, 0.0), logits)[
        0
    ]
    assert abs(logits.grad[0, 0, 5, 5]) < 0.05 * abs(alone[0, 0, 5, 5])


def test_balanced_players_want_the_same_at_first_and_part_then():
    o, g = scene()
    start = [value("balanced", "U", player, o, o, g, 0.0) for player in (FNS, FPS)]
    assert start[0] == pytest.approx(start[1])
    missed, alarm = g * 0 + 0.01, g * 0 + 0.01
    missed[0, 0, 1, 1] = alarm[0, 0, 1, 1] = alarm[0, 0, 1, 2] = 0.99
    alarm[0, 0, 3, 3] = 0.99
    for player, worse, better in ((FNS, missed, alarm), (FPS, alarm, missed)):
        gap = value("balanced", "U", player, worse, o, g) - value(
            "balanced", "U", player, better, o, g
        )
        other = FPS if player == FNS else FNS
        assert gap > value("balanced", "U", other, worse, o, g) - value(
            "balanced", "U", other, better, o, g
        )


def test_the_mean_of_the_balanced_players_is_not_tilted():
    """At chance p the log losses alone are lowest at logit p +- 2 log c; the mean is logit p."""
    p, c = 0.3, utility.TILT
    g = (torch.arange(1000) < 1000 * p).float().view(1, 1, 10, 100)
    found = []
    for player in (FNS, FPS):
        level = torch.zeros(1, requires_grad=True)
        optimizer = torch.optim.LBFGS([level], max_iter=50, line_search_fn="strong_wolfe")

        def loss(player=player, level=level, optimizer=optimizer):
            optimizer.zero_grad()
            own = level.expand_as(g)
            total = utility.balanced_own(player, own, own, g, 1.0) - soft_iou(own, g)
            total.backward()
            return total

        optimizer.step(loss)
        found.append(level.item())
    logit = math.log(p / (1 - p))
    assert found[0] == pytest.approx(logit + 2 * math.log(c), abs=1e-3)
    assert sum(found) / 2 == pytest.approx(logit, abs=1e-3)


def test_the_balanced_game_ignores_the_size_of_the_image():
    o, g = scene()
    wide_o, wide_g = (torch.nn.functional.pad(x, (0, 50, 0, 50)) for x in (o, g))
    wide_o = wide_o.clamp_min(1e-6)
    near = value("balanced", "G", FNS, o, o, g)
    assert value("balanced", "G", FNS, wide_o, wide_o, wide_g) == pytest.approx(near, rel=1e-4)
    assert value("balanced", "G", FNS, o, o, g, progress=0.0) == 0


@pytest.mark.parametrize("name", UTILITIES)
def test_the_game_term_pays_for_erring_elsewhere(name):
    g = torch.zeros(1, 1, 4, 4)
    g[0, 0, 1, 1] = 1
    mine, same, elsewhere = (torch.full_like(g, 0.01) for _ in range(3))
    mine[0, 0, 0, 0] = same[0, 0, 0, 0] = elsewhere[0, 0, 3, 3] = 0.99
    for o in (mine, same, elsewhere):
        o[0, 0, 1, 1] = 0.99
    assert value(name, "G", FPS, mine, elsewhere, g) < value(name, "G", FPS, mine, same, g)


@pytest.mark.parametrize("name", UTILITIES)
@pytest.mark.parametrize("player", [FNS, FPS])
def test_every_term_is_finite_at_both_extremes(name, player):
    g = torch.zeros(2, 1, 4, 4)
    g[0, 0, 1, 1] = 1  # the second image is empty
    for level in (-100.0, 100.0):
        logits = torch.full_like(g, level, requires_grad=True)
        total = sum(term(player, logits, logits.detach(), g, 1.0) for term in find(name).values())
        total.backward()
        assert torch.isfinite(total) and torch.isfinite(logits.grad).all()


def test_names_choose_terms():
    assert list(find("balanced")) == list(TERMS)
    assert list(find("paper:U+G")) == ["U", "G"]
    assert list(find("dice")) == ["U"]
    for wrong in ("best", "paper:X", "iou:U"):
        with pytest.raises(ValueError, match="expected one of paper, balanced, iou"):
            find(wrong)
