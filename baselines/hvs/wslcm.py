"""WSLCM: local contrast of a smoothed centre, weighted by how peaked the cells are.

The contrast is TLLCM's: a 3x3 Gaussian core against the brightest of the eight
neighbour cells. A cell is as peaked as its largest pixels exceed its mean. The
weight asks that the central cell is peaked, more than each of its neighbours, and
that the neighbours are alike.

    T = mean of the K largest pixels of a cell, m = mean of a cell, r = T - m
    B = the largest T of the eight neighbours
    contrast = max(0, core^2 / B - core)
    weight = r_0 max(0, r_0 - largest r_i) / max(xi, std r_i),  i = 1..8, divisor 7
    map = max(0, weight * contrast), the largest over the sides of the cells

Han, Moradi, Faramarzi, Zhang, Zhao, Zhang & Li, "Infrared small target detection
based on the weighted strengthened local contrast measure", IEEE Geoscience and
Remote Sensing Letters 18(9), 1670-1674 (2021), doi 10.1109/LGRS.2020.3004978.

T is padded by zeros, m and the Gaussian by replicate, as in the public code
moradisaed/WSLCM, to which the map is equal; K, xi and the sides are that code's.

Departs: 0 where all neighbours are black, where the code gives NaN, and on every
flat image, however small. The paper's threshold was not reachable: k has the best
pooled F1 on the 341 NUAA-SIRST training and validation images, `python
benchmarks/calibrate.py --methods wslcm`.
"""

from dataclasses import dataclass

import numpy as np

from baselines.hvs.cells import cell_means, cell_view, largest_neighbour, neighbours
from baselines.hvs.ranks import core, relative_contrast, top_means
from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd


@dataclass(frozen=True)
class WSLCM(Segmenter):
    card = Card("WSLCM", "hvs", "GRSL", 2020, "10.1109/LGRS.2020.3004978", "reference-checked")
    threshold = MeanStd(3.5)

    sides: tuple[int, ...] = parameter((5, 7, 9, 11), "of the cells, pixels, odd; public code")
    largest: int = parameter(9, "K, pixels averaged in a cell; public code")
    floor: float = parameter(
        5.0, "xi, the least spread of the neighbours, grey levels; public code"
    )

    def score(self, image: Image) -> Map:
        if np.ptp(image) == 0:  # smaller than two cells, it would contrast with the zeros outside
            return np.zeros(image.shape)
        centre = core(image)
        score = np.zeros(image.shape)
        for side in self.sides:
            (means,) = top_means(image, side, [self.largest])
            contrast = relative_contrast(centre, largest_neighbour(means, side))
            weight = self._weight(means - cell_means(image, side), side)
            np.maximum(score, weight * contrast, out=score)
        return score

    def _weight(self, peaks: np.ndarray, side: int) -> np.ndarray:
        """The weight (H, W), grey levels, from the extended map of r."""
        peak = cell_view(peaks, side)
        excess = np.maximum(peak - largest_neighbour(peaks, side), 0)
        spread = np.std(neighbours(peaks, side), axis=0, ddof=1)
        return peak * excess / np.maximum(spread, self.floor)
