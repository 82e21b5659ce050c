"""Max-median: a target is what no line through it predicts.

The background of a pixel is the largest of the medians along the four lines through it
(row, column, two diagonals). An edge runs along one of them and is predicted by its
median; a spot that fills less than half of every line is not.

    R = max(f - max_i median(Z_i), 0),   Z_i: `length` samples centred on the pixel

Deshpande, Er, Venkateswarlu & Chan, "Max-mean and max-median filters for detection of
small targets", Proc. SPIE 3809, 74-83 (1999), doi:10.1117/12.364049.

Lines that leave the image go on in its mirror image, which repeats the edge pixel.

Departs: the paper's length was not reachable; 5 is that of the public codes, to which the
map is equal (Linaom1214/ISTD-Benchmark, whose MAXMEAN is this filter;
daxjuanxiong/infrared-small-target-detection) once their negative values are cut. With 5, a
target wider than 2 pixels loses all but its brightest pixels: 9 or 15 rank far better on
NUAA-SIRST training images. The paper's threshold was not reachable: k has the best pooled
F1 on the 341 NUAA-SIRST training and validation images, `python benchmarks/calibrate.py
--methods maxmedian`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from skimage.filters import median

from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd


@dataclass(frozen=True)
class MaxMedian(Segmenter):
    card = Card("Max-Median", "spatial", "ISOP", 1999, "10.1117/12.364049", "reference-checked")
    threshold = MeanStd(22)

    length: int = parameter(
        5, "pixels on a line, odd (public codes); keeps targets less than half as wide"
    )

    def score(self, image: Image) -> Map:
        return residual(image, self.length, _median)


def residual(image: Image, length: int, average: Callable[[Image, np.ndarray], np.ndarray]) -> Map:
    """What exceeds the largest average along the four lines, in grey levels, (H, W).

    `average(image, line)` is (H, W): for each pixel the average of those that the mask `line`,
    bool and centred on the pixel, marks.
    """
    row, diagonal = np.ones((1, length), bool), np.eye(length, dtype=bool)
    lines = (row, row.T, diagonal, diagonal[::-1])
    background = np.maximum.reduce([average(image, line) for line in lines])
    return np.maximum(image - background, 0)


def _median(image: Image, line: np.ndarray) -> np.ndarray:
    return median(image, line, mode="reflect")
