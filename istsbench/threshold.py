"""Threshold rules: a rule is a value that turns a score map into a mask.

Every rule selects the pixels *strictly above* a level, so a flat map gives an
empty mask. The level is computed in float64 whatever the type of the map.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from istsbench.arrays import score_map


@dataclass(frozen=True)
class Threshold(ABC):
    """A rule `rule(map) -> mask`; maps are (H, W), masks bool (H, W).

    A map may be of any real type, byte order and strides; `ValueError` for any other, and for
    NaN or infinite scores, above which no pixel would lie.
    """

    @abstractmethod
    def level(self, score: np.ndarray) -> float:
        """The level that a target pixel must exceed, in the unit of the map."""

    def __call__(self, score: np.ndarray) -> np.ndarray:
        score = score_map(score)
        return score > self.level(score)


@dataclass(frozen=True)
class Fixed(Threshold):
    """One level for every image, in the unit of the map (a probability for networks)."""

    value: float

    def level(self, score: np.ndarray) -> float:
        return self.value


@dataclass(frozen=True)
class PeakRatio(Threshold):
    """A share of the way from the smallest to the largest value of the map.

    `PeakRatio(0.5)` is per-image min-max scaling to [0, 1], then > 0.5.
    """

    ratio: float  # 0..1

    def level(self, score: np.ndarray) -> float:
        score = score_map(score)
        low, high = float(score.min()), float(score.max())
        return low + self.ratio * (high - low)


@dataclass(frozen=True)
class MeanStd(Threshold):
    """The mean of the map plus k standard deviations (over all pixels, divisor N)."""

    k: float

    def level(self, score: np.ndarray) -> float:
        score = score_map(score)
        # The mean of a flat map may come out a rounding below it.
        return max(float(score.mean() + self.k * score.std()), float(score.min()))


@dataclass(frozen=True)
class MeanToPeak(Threshold):
    """A share of the way from the mean to the largest value of the map."""

    ratio: float  # 0..1

    def level(self, score: np.ndarray) -> float:
        score = score_map(score)
        mean, high = float(score.mean()), float(score.max())
        mean = max(mean, float(score.min()))
        return mean + self.ratio * (high - mean)


@dataclass(frozen=True)
class AtLeast(Threshold):
    """The larger of another rule's level and a floor in the unit of the map."""

    floor: float
    rule: Threshold

    def level(self, score: np.ndarray) -> float:
        return max(self.floor, self.rule.level(score))
