"""What each player wants: the utilities of the game, which each player lowers alone.

A utility is Phi = U + G + A (Eq. 16): the player's own aim U, the game term G that makes
the two err in different places, and the small-target term A. o is a player's
probability, g the mask.

"paper": Eq. 12-15 to the letter. U = FN/(TN+FN) for the FNs-player and FP/(TP+FP) for the
FPs-player, G = ||(o1-g)(o2-g)||_2, A = mean(o), soft counts over each image. At a target
pixel U and A of the FNs-player cancel (-1/N and +1/N) and G outweighs both, so that the
players settle on "everything" and "nothing". Kept for the record and for Table IV.

"balanced": the same three parts in a form that both players survive.
U is the soft IoU loss plus, per target pixel, the log loss in which a miss costs the
FNs-player c times and a false alarm 1/c times the usual, and the reverse for the
FPs-player. Where the chance of a target is p, the first is then drawn to the logit of p
plus 2 log c and the second to that minus 2 log c: a player that misses little and one
that raises few false alarms, whose mean is again the logit of p. c grows from 1 (a
common start) to TILT over the first half of the training, and so do G, which is GAME
sum (o1-g)^2 (o2-g)^2 / (|g|+1), and A = AREA sum(o)/(|g|+1), both per image: what counts
is the size of the errors against the size of the targets, not of the image.

Terms are left out by name: "paper:U+A", "balanced:U+G". A name of `baselines.cnn.losses`
trains each player alone with that loss (Table V).
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus

from baselines.cnn.losses import LOSSES, soft_iou

FNS, FPS = "fns", "fps"  # the players
TILT = 3**0.5  # c, when the game is on
LOG = 0.3  # weight of the log loss
GAME = 0.1  # weight of the game term; more of it makes the FPs-player, and the mean, too strict
AREA = 0.01  # weight of the small-target term
TERMS = ("U", "G", "A")


@dataclass(frozen=True)
class Counts:
    """Soft counts of each image, (N,)."""

    tp: Tensor
    fp: Tensor
    fn: Tensor
    tn: Tensor

    @classmethod
    def of(cls, o: Tensor, g: Tensor) -> "Counts":
        def total(values: Tensor) -> Tensor:
            return values.flatten(1).sum(1)

        tp, all_o, all_g = total(o * g), total(o), total(g)
        return cls(tp, all_o - tp, all_g - tp, o[0].numel() - all_o - all_g + tp)


Term = Callable[[str, Tensor, Tensor, Tensor, float], Tensor]
"""(player, own logits, the other's logits, masks, progress) to a scalar."""


def paper_own(player: str, own: Tensor, other: Tensor, g: Tensor, progress: float) -> Tensor:
    c = Counts.of(own.sigmoid(), g)
    ratio = c.fn / (c.tn + c.fn + 1e-6) if player == FNS else c.fp / (c.tp + c.fp + 1e-6)
    return ratio.mean()


def paper_game(player: str, own: Tensor, other: Tensor, g: Tensor, progress: float) -> Tensor:
    errors = (own.sigmoid() - g) * (other.sigmoid() - g)
    return (errors.flatten(1).pow(2).sum(1) + 1e-12).sqrt().mean()


def paper_area(player: str, own: Tensor, other: Tensor, g: Tensor, progress: float) -> Tensor:
    return own.sigmoid().mean()


def _stake(progress: float) -> float:
    """How far the game is on: 0 at the start, 1 from the middle of the training."""
    return min(2 * progress, 1.0)


def balanced_own(player: str, own: Tensor, other: Tensor, g: Tensor, progress: float) -> Tensor:
    c = TILT ** _stake(progress)
    miss, alarm = (c, 1 / c) if player == FNS else (1 / c, c)
    errors = miss * g * softplus(-own) + alarm * (1 - g) * softplus(own)
    return soft_iou(own, g) + LOG * errors.sum() / (g.sum() + 1)


def balanced_game(player: str, own: Tensor, other: Tensor, g: Tensor, progress: float) -> Tensor:
    errors = ((own.sigmoid() - g) * (other.sigmoid() - g)).flatten(1).pow(2).sum(1)
    return _stake(progress) * GAME * (errors / (g.flatten(1).sum(1) + 1)).mean()


def balanced_area(player: str, own: Tensor, other: Tensor, g: Tensor, progress: float) -> Tensor:
    area = own.sigmoid().flatten(1).sum(1) / (g.flatten(1).sum(1) + 1)
    return _stake(progress) * AREA * area.mean()


UTILITIES: dict[str, dict[str, Term]] = {
    "paper": {"U": paper_own, "G": paper_game, "A": paper_area},
    "balanced": {"U": balanced_own, "G": balanced_game, "A": balanced_area},
}


def alone(loss: Callable[[Tensor, Tensor], Tensor]) -> Term:
    """The utility of a player that ignores the other."""
    return lambda player, own, other, g, progress: loss(own, g)


def find(name: str) -> dict[str, Term]:
    """The terms of the utility of that name, as in "balanced", "paper:U+A" or "iou"."""
    base, _, chosen = name.partition(":")
    if base in LOSSES and not chosen:
        return {"U": alone(LOSSES[base])}
    terms = chosen.split("+") if chosen else list(TERMS)
    if base not in UTILITIES or not set(terms) <= set(TERMS):
        known = ", ".join([*UTILITIES, *LOSSES])
        raise ValueError(
            f"loss is {name!r}, expected one of {known}; the first two also with some of the "
            "terms U, G and A, as in 'paper:U+A'"
        )
    return {term: UTILITIES[base][term] for term in terms}
