"""The losses of the field: what a single objective makes of misses and false alarms.

Every loss takes logits and masks (0 or 1) of one shape, (N, 1, h, w), and returns a
scalar. With o the probabilities, g the mask and sums over all pixels of the batch:

- "iou": 1 - (sum og + 1) / (sum o + sum g - sum og + 1), Jaccard, as ACM and ALCNet.
- "dice": 1 - (2 sum og + 1) / (sum o^2 + sum g + 1), the squared form of V-Net (Milletari,
  Navab & Ahmadi, 3DV 2016, 10.1109/3DV.2016.79), smoothed by 1.
- "ss": r mean over targets of (g-o)^2 + (1-r) mean over background of (g-o)^2, with
  r = 0.5; sensitivity-specificity (Brosch et al., MICCAI 2015,
  10.1007/978-3-319-24574-4_1). A target pixel then weighs about a thousand times one of
  the background.
- "bce": the mean log loss.
- "bce-iou": 10 bce + iou. The log loss keeps a gradient where the IoU loss has none.

One ratio for the whole batch lets large targets dominate; `soft_iou(..., per_image=True)`
weighs images equally.
"""

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

Loss = Callable[[Tensor, Tensor], Tensor]


def _sum(values: Tensor, per_image: bool) -> Tensor:
    return values.flatten(1).sum(1) if per_image else values.sum()


def soft_iou(logits: Tensor, masks: Tensor, per_image: bool = False) -> Tensor:
    """1 - soft IoU, smoothed by 1."""
    o = logits.sigmoid()
    both, either = _sum(o * masks, per_image), _sum(o + masks - o * masks, per_image)
    return (1 - (both + 1) / (either + 1)).mean()


def dice(logits: Tensor, masks: Tensor, per_image: bool = False) -> Tensor:
    """1 - soft Dice with squared denominators, smoothed by 1."""
    o = logits.sigmoid()
    both, each = _sum(o * masks, per_image), _sum(o * o + masks * masks, per_image)
    return (1 - (2 * both + 1) / (each + 1)).mean()


def sensitivity_specificity(logits: Tensor, masks: Tensor, r: float = 0.5) -> Tensor:
    """r times the mean squared error on targets plus (1 - r) times that on background."""
    error = (logits.sigmoid() - masks) ** 2
    on_targets = (error * masks).sum() / (masks.sum() + 1e-6)
    elsewhere = (error * (1 - masks)).sum() / ((1 - masks).sum() + 1e-6)
    return r * on_targets + (1 - r) * elsewhere


def bce_iou(logits: Tensor, masks: Tensor) -> Tensor:
    """10 times the log loss plus the soft IoU loss."""
    return 10 * binary_cross_entropy_with_logits(logits, masks) + soft_iou(logits, masks)


LOSSES: dict[str, Loss] = {
    "iou": soft_iou,
    "dice": dice,
    "ss": sensitivity_specificity,
    "bce": binary_cross_entropy_with_logits,
    "bce-iou": bce_iou,
}


def find(name: str) -> Loss:
    """The loss of that name."""
    if name not in LOSSES:
        raise ValueError(f"loss is {name!r}, expected one of {', '.join(LOSSES)}")
    return LOSSES[name]
