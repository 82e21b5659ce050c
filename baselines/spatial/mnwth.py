"""Modified new white top-hat: estimate the background from the surroundings only.

The opening of the top-hat lets a target speak for itself. Here the dilation takes its
maximum over a ring, whose hole hides a target from it; the erosion with a filled square
then carries that maximum back under the target, and what exceeds it is the response:

    R = f - min((f dilated by ring) eroded by square, f)

Bai & Zhou, "Analysis of new top-hat transformation and the application for infrared dim
small target detection", Pattern Recognition 43(6), 2145-2156 (2010),
doi:10.1016/j.patcog.2009.12.023.

Departs: the paper's sizes were not reachable; the ring is that of the public functions MNWTH
and NewRingStrel, to which the map before their min-max scaling is equal. Their square of 4
is smaller than the hole, which the paper forbids: here it fills the hole. (Any odd side from
the hole's to the ring's gives the same map: f <= its dilation on all ring positions.) The
paper's threshold was not reachable: k has the best pooled F1 on the 341 NUAA-SIRST training
and validation images, `python benchmarks/calibrate.py --methods mnwth`. In images that a
ring can miss altogether, positions without surroundings are ignored, and the map is zero
where no others are in reach.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd


@dataclass(frozen=True)
class MNWTH(Segmenter):
    card = Card("MNWTH", "spatial", "PR", 2010, "10.1016/j.patcog.2009.12.023", "reference-checked")
    threshold = MeanStd(18.5)

    outer: int = parameter(
        9, "pixels from the centre of the ring to its outermost ones (public code)"
    )
    inner: int = parameter(
        4, "pixels from the centre to the edge of the hole; its side is 2 inner + 1"
    )
    square: int = parameter(9, "side of the eroding square, pixels, 2 inner + 1 .. 2 outer + 1")

    def score(self, image: Image) -> Map:
        ring = np.ones((2 * self.outer + 1, 2 * self.outer + 1), np.uint8)
        hole = slice(self.outer - self.inner, self.outer + self.inner + 1)
        ring[hole, hole] = 0
        # Not by skimage.morphology.dilation, which takes 5 times as long.
        surroundings = cv2.dilate(image, ring, borderValue=-np.inf)
        surroundings[np.isneginf(surroundings)] = np.inf
        anchor = (self.square - 1) // 2  # an even square reaches one pixel further down and right
        background = cv2.erode(
            surroundings,
            np.ones((self.square, self.square), np.uint8),
            anchor=(anchor, anchor),
            borderValue=np.inf,
        )
        return np.maximum(image - background, 0)
