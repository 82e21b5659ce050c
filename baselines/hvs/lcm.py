"""LCM: the brightest pixel of a cell, squared, over the brightest neighbouring cell.

    C_s = L_s^2 / max_i m_{s,i},   LCM = max_s C_s

where L_s is the maximum over an s x s cell and m_{s,i} are the means of its eight
neighbours. The ratio L / m enhances targets; the second factor L prefers the
brighter of two equal contrasts. The map is in grey levels and carries the
brightness of the image: where the image is flat it equals the image.

Chen, Li, Wei, Xia & Tang, "A Local Contrast Method for Small Infrared Target
Detection", IEEE Transactions on Geoscience and Remote Sensing 52(1), 574-581
(2014), doi 10.1109/TGRS.2013.2242477.

Departs: the map is 0 where all neighbours are black (a division by zero in the paper).
Equal to the public code moradisaed/MS_LCM, whose sides and border (replicate) are used.
The paper's k is 3 to 5; 5 is the best of them on the NUAA-SIRST validation images.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from baselines.hvs.cells import cell_means, largest_neighbour, ratio
from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd


@dataclass(frozen=True)
class LCM(Segmenter):
    card = Card("LCM", "hvs", "TGRS", 2013, "10.1109/TGRS.2013.2242477", "reference-checked")
    threshold = MeanStd(5)

    sides: tuple[int, ...] = parameter(
        (3, 5, 7, 9), "of the cells, pixels, odd; paper: up to 9; MS_LCM"
    )

    def score(self, image: Image) -> Map:
        score = np.zeros(image.shape)
        for side in self.sides:
            # Not by skimage.morphology.dilation, 6 times as long. What is outside is ignored.
            brightest = cv2.dilate(image, np.ones((side, side)))
            background = largest_neighbour(cell_means(image, side), side)
            np.maximum(score, ratio(brightest**2, background), out=score)
        return score
