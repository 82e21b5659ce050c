"""MDWCM: along every direction the image rises before a target and falls behind it.

The derivative of the image along a direction (a subband) is positive on the near
side of a bright blob, seen along the direction, and negative on the far side. An
edge has one sign on both sides; a line has two signs only across itself.

1. The facet model fits a cubic to the 5 x 5 surroundings of each pixel; its gradient
   (f_r, f_c) gives the subbands D_a = f_r sin a + f_c cos a, a = 0, 45, 90, 135 degrees.
2. In a square window two fans, 45 degrees to either side of a and of a + 180, hold
   what is ahead and behind: rise = max(0, mean of D_a behind), fall = max(0, -mean ahead).
3. Q_a = w rise fall, weighted by the symmetry w = min(rise, fall) / max(rise, fall):
   this is min(rise, fall)^2.
4. MDWCM = (Q_0 Q_45 Q_90 Q_135)^(1/4), in (grey levels / pixel)^2.

Lu, Yang, Li, Fan, Li & Jing, "Robust Infrared Small Target Detection via
Multidirectional Derivative-Based Weighted Contrast Measure", IEEE Geoscience and
Remote Sensing Letters 19, 1-5 (2022), doi 10.1109/LGRS.2020.3026546. Facet model:
Haralick, "Digital step edges from zero crossing of second directional derivatives",
IEEE Transactions on Pattern Analysis and Machine Intelligence 6(1), 58-68 (1984).

A reconstruction from the abstract and index terms (facet model, subbands of several
directions, a division of the surroundings, a weighted contrast for each subband, their
fusion, an adaptive threshold): the letter was not reachable and has no public code. Fans,
window, number of directions, weight and fusion are ours. So is the threshold: k has the
best pooled F1 on the 341 NUAA-SIRST training and validation images, `python
benchmarks/calibrate.py --methods mdwcm`.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd

ANGLES = (0, 45, 90, 135)  # of the directions, degrees from right towards down

# Derivative towards growing rows, at the centre, of the least-squares cubic.
DOWN = (
    np.array(
        [
            [31, -5, -17, -5, 31],
            [-44, -62, -68, -62, -44],
            [0, 0, 0, 0, 0],
            [44, 62, 68, 62, 44],
            [-31, 5, 17, 5, -31],
        ]
    )
    / 420
)


@dataclass(frozen=True)
class MDWCM(Segmenter):
    card = Card("MDWCM", "hvs", "GRSL", 2020, "10.1109/LGRS.2020.3026546", "reconstruction")
    threshold = MeanStd(14)

    radius: int = parameter(4, "of the window with the fans, pixels")

    def score(self, image: Image) -> Map:
        image = image - image.min()  # makes a flat image exactly 0
        down, right = _correlate(image, DOWN), _correlate(image, DOWN.T)
        product = np.ones(image.shape)
        for angle in ANGLES:
            subband = np.sin(np.deg2rad(angle)) * down + np.cos(np.deg2rad(angle)) * right
            ahead = _fan(self.radius, angle)
            behind = ahead[::-1, ::-1]
            rise = np.maximum(_correlate(subband, behind), 0)
            fall = np.maximum(-_correlate(subband, ahead), 0)
            product *= np.minimum(rise, fall)
        return np.sqrt(product)


def _fan(radius: int, angle: float) -> np.ndarray:
    """The mean over the offsets within 45 degrees of a direction, as a kernel."""
    down, right = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    turn = np.rad2deg(np.arctan2(down, right)) - angle
    away = np.abs((turn + 180) % 360 - 180)
    inside = (away <= 45 + 1e-9) & ((down != 0) | (right != 0))
    return inside / inside.sum()


def _correlate(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE)
