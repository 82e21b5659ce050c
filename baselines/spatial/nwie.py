"""Grey difference weighted by image entropy (multiscale; NWIE, also MGDWE).

A compact spot differs in mean from the window around it; the square of the difference,
the largest over the sizes of the inner window, is weighted by the local entropy, which is
low where a few pixels hold most of the window's brightness:

    D = max_k (N_k - A)^2,   N_k: mean over (2k+1) x (2k+1) pixels, A: over the largest window
    E = -sum p log2 p,       p: each pixel's share of the sum of the entropy window
    R = D E

Deng, Sun, Liu, Ye & Zhou, "Infrared small-target detection using multiscale gray difference
weighted image entropy", IEEE Trans. Aerospace and Electronic Systems 52(1), 60-72 (2016),
doi:10.1109/TAES.2015.140878: equations 6 to 10.

Equal to the public code daxjuanxiong/infrared-small-target-detection (mgdwe.m). Windows repeat
the edge pixel. E is 0 in a window that is black all over. Dark spots respond as bright ones
do. The threshold is the paper's, mean + c SNR std with SNR = (largest - mean) / std, with the
lowest of its c, 0.5 to 0.65.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanToPeak


@dataclass(frozen=True)
class NWIE(Segmenter):
    card = Card("NWIE", "spatial", "TAES", 2016, "10.1109/TAES.2015.140878", "reference-checked")
    threshold = MeanToPeak(0.5)

    window: int = parameter(7, "side of the largest window, pixels, odd (the paper's figures)")
    entropy_window: int = parameter(
        5, "side of the window of the entropy, pixels, odd (the paper's figures)"
    )

    def score(self, image: Image) -> Map:
        return self._difference(image) * self._entropy(image)

    def _difference(self, image: Image) -> np.ndarray:
        # A constant image must give exactly zero also where its sums round.
        raised = image - image.min()
        largest = _sum(raised, self.window) / self.window**2
        difference = np.zeros_like(image)
        for side in range(3, self.window, 2):
            mean = _sum(raised, side) / side**2
            np.maximum(difference, np.abs(mean - largest), out=difference)
        return difference**2

    def _entropy(self, image: Image) -> np.ndarray:
        """Bits, (H, W), from 0 to log2 of the number of pixels in the window."""
        # -sum (f/S) log2 (f/S) = log2 S - sum (f log2 f) / S, and both sums are box filters.
        bits = image * np.log2(np.where(image > 0, image, 1))
        total = _sum(image, self.entropy_window)
        total[total <= 0] = 1  # black: the other sum is 0 there
        entropy = np.log2(total) - _sum(bits, self.entropy_window) / total
        # Sums that round may leave the range, far out where a window is all but black.
        return np.clip(entropy, 0, 2 * np.log2(self.entropy_window))


def _sum(image: Image, side: int) -> np.ndarray:
    # Not from skimage.transform.integral_image: 6 times as long, and its large sums round.
    return cv2.boxFilter(image, -1, (side, side), normalize=False, borderType=cv2.BORDER_REPLICATE)
