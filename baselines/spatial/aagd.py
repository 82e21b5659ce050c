"""Average absolute grey difference: a small mean against the mean of what surrounds it.

The mean over a cell is compared with the mean over the rest of a large window around it;
the square of the difference is the response, the largest over the sizes of the cell:

    R = max_s (m_s - b_s)^2,   m_s: mean over s x s, b_s: mean over the window without them

Deng, Sun, Liu, Ye & Zhou, "Infrared small-target detection using multiscale gray difference
weighted image entropy", IEEE Trans. Aerospace and Electronic Systems 52(1), 60-72 (2016),
doi:10.1109/TAES.2015.140878; with several cells, Moradi, Moallem & Sabahi, "A false-alarm
aware methodology to develop robust and efficient multi-scale infrared small target detection
algorithm", Infrared Physics & Technology 89, 387-397 (2018).

Equal to the public code daxjuanxiong/infrared-small-target-detection, whose sizes these are.
Windows that leave the image go on in its mirror image, which repeats the edge pixel. Dark
spots respond as bright ones do. No threshold was reachable: k has the best pooled F1 on the
341 NUAA-SIRST training and validation images, `python benchmarks/calibrate.py --methods
aagd`.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd


@dataclass(frozen=True)
class AAGD(Segmenter):
    card = Card("AAGD", "spatial", "TAES", 2016, "10.1109/TAES.2015.140878", "reference-checked")
    threshold = MeanStd(15)

    scales: tuple[int, ...] = parameter(
        (3, 5, 7, 9), "sides of the cells, pixels, odd (public code)"
    )
    window: int = parameter(19, "side of the window around each, pixels, odd (public code)")

    def score(self, image: Image) -> Map:
        # A constant image must give exactly zero also where its sums round.
        raised = image - image.min()
        whole = _sum(raised, self.window)
        contrast = np.zeros_like(image)
        for side in self.scales:
            cell = _sum(raised, side)
            surroundings = (whole - cell) / (self.window**2 - side**2)
            np.maximum(contrast, np.abs(cell / side**2 - surroundings), out=contrast)
        return contrast**2


def _sum(image: Image, side: int) -> np.ndarray:
    # Not from skimage.transform.integral_image: 6 times as long, and its large sums round.
    return cv2.boxFilter(image, -1, (side, side), normalize=False, borderType=cv2.BORDER_REFLECT)
