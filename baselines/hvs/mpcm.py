"""MPCM: a target is brighter, or darker, than both cells on its opposite sides.

The mean of a cell less the mean of a neighbour is a contrast; the product of the
contrasts to two opposite neighbours is positive only if both have one sign. Edges
and lines have a pair of neighbours for which it is not, so the smallest product of
the four pairs rejects them:

    P_s = min_j (m_0 - m_j) (m_0 - m_{j+4}),   MPCM = max_s P_s,   cut at 0

where m_0 and m_1 .. m_8 (clockwise) are the means of the s x s cells. Dark spots
respond as bright ones do. The unit is the grey level squared.

Wei, You & Li, "Multiscale patch-based contrast measure for small infrared target
detection", Pattern Recognition 58, 216-226 (2016), doi 10.1016/j.patcog.2016.04.002.

Before the cut at 0 the map equals that of the public code moradisaed/MS_PCM, whose
scales and border (replicate) are used. The paper's threshold was not reachable: k
has the best pooled F1 on the 341 NUAA-SIRST training and validation images, `python
benchmarks/calibrate.py --methods mpcm`.
"""

from dataclasses import dataclass

import numpy as np

from baselines.hvs.cells import cell_means, cell_view, opposite_pairs
from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd


@dataclass(frozen=True)
class MPCM(Segmenter):
    card = Card("MPCM", "hvs", "PR", 2016, "10.1016/j.patcog.2016.04.002", "reference-checked")
    threshold = MeanStd(15)

    sides: tuple[int, ...] = parameter((3, 5, 7, 9), "sides of the cells, pixels, odd; MS_PCM")

    def score(self, image: Image) -> Map:
        score = np.zeros(image.shape)
        for side in self.sides:
            np.maximum(score, _smallest_product(image, side), out=score)
        return score


def _smallest_product(image: np.ndarray, side: int) -> np.ndarray:
    means = cell_means(image, side)
    centre = cell_view(means, side)
    smallest = np.full(image.shape, np.inf)
    for one, other in opposite_pairs(means, side):
        np.minimum(smallest, (centre - one) * (centre - other), out=smallest)
    return smallest
