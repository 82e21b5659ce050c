"""White top-hat: a target is what an opening removes.

An opening with a flat square keeps every bright region that the square fits
inside. The image less its opening therefore keeps what is smaller: targets, and
also noise and thin bright edges.

Rivest & Fortin, "Detection of dim targets in digital infrared imagery by
morphological image processing", Optical Engineering 35(7), 1886-1893 (1996).

Positions outside the image are ignored by erosion and dilation. The paper's
element was not reachable: the side of 5 is that of the public codes, to which the
map is equal. The paper's threshold was not reachable: k has the best pooled F1 on
the 341 NUAA-SIRST training and validation images, `python benchmarks/calibrate.py
--methods tophat`.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd


@dataclass(frozen=True)
class TopHat(Segmenter):
    card = Card("Top-Hat", "spatial", "OE", 1996, "10.1117/12.240773", "reference-checked")
    threshold = MeanStd(15)

    size: int = parameter(5, "side of the square, pixels, odd; must exceed the largest target")

    def score(self, image: Image) -> Map:
        # Not by skimage.morphology.white_tophat, which takes 8 times as long.
        return cv2.morphologyEx(image, cv2.MORPH_TOPHAT, np.ones((self.size, self.size)))
