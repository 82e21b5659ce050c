"""TLLCM: local contrast in three nested layers, core, reserve and surround.

The core is a 3x3 Gaussian, a matched filter for a point. The rest of the central
cell, the reserve, is left out, so that the skirt of the target does not count as
its background. The surround is the eight neighbour cells, each standing for itself
by the mean of its K largest pixels.

    B = mean of the K largest pixels of a neighbour cell, the largest of the eight
    map = max(0, core^2 / B - core), the largest over the sides of the cells

Han, Moradi, Faramarzi, Liu, Zhang & Zhao, "A local contrast method for infrared
small-target detection utilizing a tri-layer window", IEEE Geoscience and Remote
Sensing Letters 17(10), 1822-1826 (2020), doi 10.1109/LGRS.2019.2954578.

The Gaussian is padded by replicate; for the cells pixels outside the image are 0,
as in the rank filters of the public codes. With sides=(9,) the map is equal to
moradisaed/TLLCM, with sides=(3, 5, 7, 9) to
daxjuanxiong/infrared-small-target-detection; the default is the paper's.

Departs: 0 where all neighbours are black, where the codes give NaN or Inf, and on
every flat image, however small.
"""

from dataclasses import dataclass

import numpy as np

from baselines.hvs.cells import largest_neighbour
from baselines.hvs.ranks import core, relative_contrast, top_means
from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanToPeak


@dataclass(frozen=True)
class TLLCM(Segmenter):
    card = Card("TLLCM", "hvs", "GRSL", 2019, "10.1109/LGRS.2019.2954578", "reference-checked")
    threshold = MeanToPeak(0.7)  # paper: 0.7 to 0.9 where there is a single target

    sides: tuple[int, ...] = parameter((5, 7, 9), "of the cells, pixels, odd; paper")
    largest: int = parameter(9, "K, pixels averaged in a cell, the size of the core; paper")

    def score(self, image: Image) -> Map:
        if np.ptp(image) == 0:  # smaller than two cells, it would contrast with the zeros outside
            return np.zeros(image.shape)
        centre = core(image)
        score = np.zeros(image.shape)
        for side in self.sides:
            (means,) = top_means(image, side, [self.largest])
            background = largest_neighbour(means, side)
            np.maximum(score, relative_contrast(centre, background), out=score)
        return score
