"""The four threshold rules of a table: own, half, tuned, oracle.

`own` is the method's own rule. `half` is per-image min-max scaling and > 0.5, as
networks are thresholded. `tuned` is chosen once per method for the best pooled F1 on
the data set's validation images. `oracle` is chosen likewise on the test images
themselves: an upper bound, never a result.

`tuned` and `oracle` choose k of mean + k std, or the level of a probability where the
method's own rule is a fixed level.
"""

from __future__ import annotations

from istsbench.registry import UnknownName, WrongUse
from istsbench.threshold import Fixed, MeanStd, PeakRatio, Threshold

RULES = {
    "own": "the method's own rule: its paper's, or one calibrated on training images",
    "half": "per-image min-max scaling, then > 0.5",
    "tuned": "mean + k std (networks: a level), chosen on the validation images",
    "oracle": "the same, chosen on the test images: an upper bound, not a result",
}
HALF = PeakRatio(0.5)


def candidates(own: Threshold) -> list[Threshold]:
    """The rules that `tuned` and `oracle` choose from; the method's own is among them."""
    grid: list[Threshold]
    if isinstance(own, Fixed) and 0 < own.value < 1:  # a probability
        grid = [Fixed(round(0.02 * step, 2)) for step in range(1, 50)]
    else:
        grid = [MeanStd(0.5 * step) for step in range(1, 61)]
    return grid if own in grid else [*grid, own]


def check(names: list[str]) -> list[str]:
    """The names in their fixed order; raises `UnknownName` for another one."""
    if not names:
        raise WrongUse(f"no threshold rule was named; there are {', '.join(RULES)}")
    for name in names:
        if name not in RULES:
            raise UnknownName("threshold rule", name, list(RULES))
    return [name for name in RULES if name in names]
