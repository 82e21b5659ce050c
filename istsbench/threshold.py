"""Threshold rules: a rule is a value that turns a score map into a mask.

Every rule selects the pixels *strictly above* a level, so a flat map gives an
empty mask. The level is computed in float64 whatever the type of the map.

A table names four rules. `own` is the method's own. `half` is per-image min-max scaling
and > 0.5, as networks are thresholded. `tuned` is chosen once per method for the best
pooled F1 on the data set's validation images. `oracle` is chosen likewise on the test
images themselves: never a result. `tuned` and `oracle` choose among mean + k std (levels
for a probability), min-max > 0.5 and own. So no rule of these has a better pooled F1 on the
images that they are chosen on; a mean over images may be higher under another one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from istsbench.arrays import score_map
from istsbench.errors import UnknownName, WrongUse


@dataclass(frozen=True)
class Threshold(ABC):
    """A rule `rule(map) -> mask`; maps are (H, W), masks bool (H, W).

    A map may be of any real type, byte order and strides; `ValueError` for any other, and for
    NaN or infinite scores, above which no pixel would lie.

    >>> rule = MeanStd(1)
    >>> rule(np.array([[0.0, 0.0], [0.0, 8.0]]))
    array([[False, False],
           [False,  True]])
    """

    @abstractmethod
    def level(self, score: np.ndarray) -> float:
        """The level that a target pixel must exceed, in the unit of the map."""

    def __call__(self, score: np.ndarray) -> np.ndarray:
        score = score_map(score)
        level = self.level(score)
        if np.isnan(level):
            raise ValueError(f"{self!r} gives the level NaN, above which no score would lie")
        return score > level


@dataclass(frozen=True)
class Fixed(Threshold):
    """One level for every image, in the unit of the map (a probability for networks).

    >>> Fixed(0.5).level(np.array([[0.2, 0.9]]))
    0.5
    """

    value: float

    def level(self, score: np.ndarray) -> float:
        return self.value


@dataclass(frozen=True)
class PeakRatio(Threshold):
    """A share of the way from the smallest to the largest value of the map.

    `PeakRatio(0.5)` is per-image min-max scaling to [0, 1], then > 0.5.

    >>> PeakRatio(0.5).level(np.array([[2.0, 10.0]]))
    6.0
    """

    ratio: float  # 0..1

    def level(self, score: np.ndarray) -> float:
        score = score_map(score)
        low, high = float(score.min()), float(score.max())
        return low + self.ratio * (high - low)


@dataclass(frozen=True)
class MeanStd(Threshold):
    """The mean of the map plus k standard deviations (over all pixels, divisor N).

    >>> MeanStd(2).level(np.array([[1.0, 3.0]]))  # mean 2, deviation 1
    4.0
    """

    k: float

    def level(self, score: np.ndarray) -> float:
        score = score_map(score)
        # The mean of a flat map may come out a rounding below it.
        return max(float(score.mean() + self.k * score.std()), float(score.min()))


@dataclass(frozen=True)
class MeanToPeak(Threshold):
    """A share of the way from the mean to the largest value of the map.

    >>> MeanToPeak(0.5).level(np.array([[0.0, 0.0, 6.0]]))  # mean 2, largest 6
    4.0
    """

    ratio: float  # 0..1

    def level(self, score: np.ndarray) -> float:
        score = score_map(score)
        mean, high = float(score.mean()), float(score.max())
        mean = max(mean, float(score.min()))
        return mean + self.ratio * (high - mean)


@dataclass(frozen=True)
class AtLeast(Threshold):
    """The larger of another rule's level and a floor in the unit of the map.

    >>> AtLeast(10, MeanStd(2)).level(np.array([[1.0, 3.0]]))
    10
    """

    floor: float
    rule: Threshold

    def level(self, score: np.ndarray) -> float:
        return max(self.floor, self.rule.level(score))


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
UNNAMED = MeanStd(3)  # of scores, where a method names no rule
OF_MASKS = Fixed(0.5)  # of maps of type bool, where a method names no rule: they are taken as masks


def of_probability(own: Threshold) -> bool:
    """Whether maps with this own rule are probabilities: it is a fixed level between 0 and 1.

    Levels of such maps mean the same in every image. A fixed level elsewhere, like one of
    grey levels, is treated as the rules of other maps.

    >>> of_probability(Fixed(0.5)), of_probability(Fixed(40)), of_probability(MeanStd(3))
    (True, False, False)
    """
    return isinstance(own, Fixed) and 0 < own.value < 1


def candidates(own: Threshold) -> list[Threshold]:
    """The rules that `tuned` and `oracle` choose from; `half` and the own one are among them.

    >>> len(candidates(MeanStd(3))), candidates(Fixed(0.5))[0]
    (61, Fixed(value=0.02))
    """
    grid: list[Threshold]
    if of_probability(own):
        grid = [Fixed(round(0.02 * step, 2)) for step in range(1, 50)]
    else:
        grid = [MeanStd(0.5 * step) for step in range(1, 61)]
    return list(dict.fromkeys([*grid, HALF, own]))


def check_rules(names: list[str]) -> list[str]:
    """The names in their fixed order; raises `UnknownName` for another one.

    >>> check_rules(["oracle", "own"])
    ['own', 'oracle']
    """
    if not names:
        raise WrongUse(f"no threshold rule was named; there are {', '.join(RULES)}")
    for name in names:
        if name not in RULES:
            raise UnknownName("threshold rule", name, list(RULES))
    return [name for name in RULES if name in names]
