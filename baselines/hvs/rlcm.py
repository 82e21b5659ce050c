"""RLCM: relative local contrast of the largest pixels, over several numbers of them.

Ratios of a cell to its neighbours enhance a target but also keep bright
backgrounds; differences remove those but do not enhance. The relative contrast,
ratio times centre minus centre, does both. A cell stands for itself not by its
maximum or mean but by the mean of its K largest pixels, few for a small target and
many for a large one: the scales are pairs of K, the cells keep their size.

    A = mean of the K1 largest pixels of the central cell
    B = mean of the K2 largest pixels of a neighbour cell, the largest of the eight
    map = max(0, A^2 / B - A), the largest over the pairs (K1, K2)

Han, Liang, Zhou, Zhu, Zhao & Zhao, "Infrared small target detection utilizing the
multiscale relative local contrast measure", IEEE Geoscience and Remote Sensing
Letters 15(4), 612-616 (2018), doi 10.1109/LGRS.2018.2790909.

Pixels outside the image are 0, as in the rank filters of the public code
moradisaed/RLCM, to which the map is equal; side and pairs are that code's.

Departs: 0 where all neighbours are black, where the code gives NaN or Inf, and on
every flat image, however small. The paper's threshold was not reachable: k has the
best pooled F1 on the 341 NUAA-SIRST training and validation images, `python
benchmarks/calibrate.py --methods rlcm`.
"""

from dataclasses import dataclass

import numpy as np

from baselines.hvs.cells import cell_view, largest_neighbour
from baselines.hvs.ranks import relative_contrast, top_means
from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd


@dataclass(frozen=True)
class RLCM(Segmenter):
    card = Card("RLCM", "hvs", "GRSL", 2018, "10.1109/LGRS.2018.2790909", "reference-checked")
    threshold = MeanStd(20)

    side: int = parameter(9, "of a cell, pixels, odd; public code")
    pairs: tuple[tuple[int, int], ...] = parameter(
        ((2, 4), (5, 9), (9, 16)), "(K1, K2), pixels; public code"
    )

    def score(self, image: Image) -> Map:
        if np.ptp(image) == 0:  # smaller than two cells, it would contrast with the zeros outside
            return np.zeros(image.shape)
        counts = sorted({count for pair in self.pairs for count in pair})
        means = dict(zip(counts, top_means(image, self.side, counts), strict=True))
        score = np.zeros(image.shape)
        for inner, outer in self.pairs:
            centre = cell_view(means[inner], self.side)
            background = largest_neighbour(means[outer], self.side)
            np.maximum(score, relative_contrast(centre, background), out=score)
        return score
