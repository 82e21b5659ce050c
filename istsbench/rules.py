"""The four threshold rules of a table: own, half, tuned, oracle.

`own` is the method's own rule. `half` is per-image min-max scaling and > 0.5, as
networks are thresholded. `tuned` is chosen once per method for the best pooled F1 on
the data set's validation images. `oracle` is chosen likewise on the test images
themselves: never a result.

`tuned` and `oracle` choose among mean + k std (levels for a probability), min-max > 0.5
and own. So no rule of these has a better pooled F1 on the images that they are chosen on;
a mean over images may be higher under another one.
"""

from __future__ import annotations

from istsbench.registry import UnknownName, WrongUse
from istsbench.threshold import Fixed, MeanStd, PeakRatio, Threshold

RULES = {
    "own": "the method's own rule: its paper's, or one calibrated on NUAA-SIRST training and "
    "validation images (slow methods: on validation images alone)",
    "half": "per-image min-max scaling, then > 0.5",
    "tuned": "the best pooled F1 on the validation images, among mean + k std (networks: "
    "levels), min-max > 0.5 and own",
    "oracle": "the same on the test images: not a result; means over images may be higher "
    "elsewhere",
}
HALF = PeakRatio(0.5)


def of_probability(own: Threshold) -> bool:
    """Whether maps with this own rule are probabilities: it is a fixed level between 0 and 1.

    Levels of such maps mean the same in every image. A fixed level elsewhere, like one of
    grey levels, is treated as the rules of other maps.
    """
    return isinstance(own, Fixed) and 0 < own.value < 1


def candidates(own: Threshold) -> list[Threshold]:
    """The rules that `tuned` and `oracle` choose from; `half` and the own one are among them."""
    grid: list[Threshold]
    if of_probability(own):
        grid = [Fixed(round(0.02 * step, 2)) for step in range(1, 50)]
    else:
        grid = [MeanStd(0.5 * step) for step in range(1, 61)]
    return list(dict.fromkeys([*grid, HALF, own]))


def check(names: list[str]) -> list[str]:
    """The names in their fixed order; raises `UnknownName` for another one."""
    if not names:
        raise WrongUse(f"no threshold rule was named; there are {', '.join(RULES)}")
    for name in names:
        if name not in RULES:
            raise UnknownName("threshold rule", name, list(RULES))
    return [name for name in RULES if name in names]
