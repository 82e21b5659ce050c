"""A third party's method: a target is what is brighter than its row and its column.

The map is how far a pixel exceeds both the median of its row and of its column.
"""

from dataclasses import dataclass

import numpy as np

from istsbench import Card, MeanStd, Segmenter


@dataclass(frozen=True)
class Brightest(Segmenter):
    card = Card("Brightest & Best_1", "ours", "none", 2025, "example.org/brightest", "paper")
    threshold = MeanStd(6)

    margin: float = 0.0  # grey levels that do not count

    def score(self, image):
        level = np.maximum(np.median(image, 0)[None], np.median(image, 1)[:, None])
        return np.maximum(image - level - self.margin, 0)
