"""Max-mean: as max-median, with the mean along each line in place of the median.

    R = max(f - max_i mean(Z_i), 0),   Z_i: `length` samples centred on the pixel

The mean contains a share of the target itself, so a spot of any size leaves a residual
where it is brighter than the mean of every line; noise and corners leave one too.

Deshpande, Er, Venkateswarlu & Chan, "Max-mean and max-median filters for detection of
small targets", Proc. SPIE 3809, 74-83 (1999), doi:10.1117/12.364049.

Lines that leave the image go on in its mirror image, which repeats the edge pixel.

Departs: the paper's length was not reachable; 5 is that of the public code
daxjuanxiong/infrared-small-target-detection, to which the map is equal once its negative
values are cut. The paper's threshold was not reachable: k has the best pooled F1 on the
341 NUAA-SIRST training and validation images, `python benchmarks/calibrate.py --methods
maxmean`.
"""

from dataclasses import dataclass

import numpy as np

from baselines.spatial.maxmedian import residual
from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd


@dataclass(frozen=True)
class MaxMean(Segmenter):
    card = Card("Max-Mean", "spatial", "ISOP", 1999, "10.1117/12.364049", "reference-checked")
    threshold = MeanStd(14)

    length: int = parameter(5, "pixels on a line, odd (public code)")

    def score(self, image: Image) -> Map:
        # A constant image must give exactly zero also where its sums round.
        return residual(image - image.min(), self.length, _mean)


def _mean(image: Image, line: np.ndarray) -> np.ndarray:
    height, width = image.shape
    padded = np.pad(image, [(side // 2, side // 2) for side in line.shape], mode="symmetric")
    corners = np.argwhere(line)
    # Sums of moved images: means over skimage.util.view_as_windows take 4 times as long.
    total = np.zeros_like(image)
    for y, x in corners:
        total += padded[y : y + height, x : x + width]
    return total / len(corners)
