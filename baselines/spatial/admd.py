"""Absolute directional mean difference: a target is brighter than all eight neighbours.

The mean of a cell is compared with the means of the eight cells around it. An edge has a
neighbour as bright as itself, a target has none, so the smallest of the eight differences
tells them apart; where it is positive its square is the response, the largest over scales:

    R = max_s max(m_s - max_i m_s,i, 0)^2,   m_s: mean over s x s pixels, i: 8 cells s away

Moradi, Moallem & Sabahi, "Fast and robust small infrared target detection using absolute
directional mean difference algorithm", Signal Processing 177, 107727 (2020),
doi:10.1016/j.sigpro.2020.107727, arXiv:1810.03173.

Checked against daxjuanxiong/infrared-small-target-detection (the four scales) and, with
`scales=(7,)`, against the authors' MATLAB code moradisaed/ADMD; their C++ code takes sums for
means, which weighs the scales by s^4 against the paper, and is not followed. Means repeat the
edge pixel; cells centred outside the image are ignored, and pixels with no other cell get 0.
The paper's threshold was not reachable: k has the best pooled F1 on the 341 NUAA-SIRST
training and validation images, `python benchmarks/calibrate.py --methods admd`.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd


@dataclass(frozen=True)
class ADMD(Segmenter):
    card = Card("ADMD", "spatial", "SP", 2020, "10.1016/j.sigpro.2020.107727", "reference-checked")
    threshold = MeanStd(13)

    scales: tuple[int, ...] = parameter((3, 5, 7, 9), "sides of the cells, pixels, odd (paper)")

    def score(self, image: Image) -> Map:
        # A constant image must give exactly zero also where its sums round.
        raised = image - image.min()
        excess = np.zeros_like(image)
        for side in self.scales:
            # Not by skimage: integral images take 6 times as long, dilations 5 times.
            mean = cv2.blur(raised, (side, side), borderType=cv2.BORDER_REPLICATE)
            neighbours = np.zeros((2 * side + 1, 2 * side + 1), np.uint8)
            neighbours[::side, ::side] = 1
            neighbours[side, side] = 0
            brightest = cv2.dilate(mean, neighbours, borderValue=-np.inf)
            brightest[np.isneginf(brightest)] = np.inf
            np.maximum(excess, mean - brightest, out=excess)
        return excess**2
