import pytest
import torch

from baselines.cnn.losses import LOSSES, dice, find, sensitivity_specificity, soft_iou


@pytest.fixture
def target():
    masks = torch.zeros(2, 1, 8, 8)
    masks[0, 0, 2:4, 2:4] = 1
    masks[1, 0, 1:7, 1:7] = 1
    return masks


def logits_of(probability):
    return torch.logit(probability.clamp(1e-6, 1 - 1e-6))


def test_iou_and_dice_by_hand():
    masks = torch.zeros(1, 1, 2, 2)
    masks[0, 0, 0, 0] = 1
    logits = torch.zeros(1, 1, 2, 2)  # o = 1/2 everywhere
    # sum og = 1/2, sum o = 2, sum g = 1; union 5/2
    assert soft_iou(logits, masks).item() == pytest.approx(1 - 1.5 / 3.5)
    # sum o^2 + sum g = 1 + 1
    assert dice(logits, masks).item() == pytest.approx(1 - 2 / 3)


def test_sensitivity_specificity_weighs_both_regions_alike():
    masks = torch.zeros(1, 1, 10, 10)
    masks[0, 0, 0, 0] = 1
    missed = sensitivity_specificity(torch.full((1, 1, 10, 10), -20.0), masks)
    covered = sensitivity_specificity(torch.full((1, 1, 10, 10), 20.0), masks)
    assert missed.item() == pytest.approx(0.5, abs=1e-5)
    assert covered.item() == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_the_truth_is_best_and_its_opposite_worst(name, target):
    truth, half, wrong = (
        find(name)(logits_of(o), target).item() for o in (target, target * 0 + 0.5, 1 - target)
    )
    assert truth < 0.01 < half < wrong


@pytest.mark.parametrize("name", LOSSES)
def test_an_empty_mask_pulls_every_pixel_down(name):
    logits = torch.zeros(1, 1, 4, 4, requires_grad=True)
    find(name)(logits, torch.zeros(1, 1, 4, 4)).backward()
    assert (logits.grad > 0).all()


def test_per_image_a_small_target_weighs_as_much_as_a_large_one(target):
    small_missed, large_missed = target.clone(), target.clone()
    small_missed[0], large_missed[1] = 0, 0
    pooled = [soft_iou(logits_of(o), target).item() for o in (small_missed, large_missed)]
    single = [
        soft_iou(logits_of(o), target, per_image=True).item() for o in (small_missed, large_missed)
    ]
    assert pooled[0] < 0.2 < 0.8 < pooled[1]
    assert abs(single[0] - single[1]) < 0.1


def test_an_unknown_loss_is_named_with_the_known():
    with pytest.raises(ValueError, match="'hinge', expected one of iou, dice, ss"):
        find("hinge")
