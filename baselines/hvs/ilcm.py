"""ILCM: local contrast of half-overlapping blocks on a coarse grid.

Blocks of 8 x 8 pixels are taken every 4 pixels. The saliency of a block is its
maximum L times its mean M over the largest mean of the eight blocks around it:

    G = L M / max_i M_i

The mean in the numerator damps single bright noise pixels; the grid makes it fast.
The map gives each pixel the largest saliency of the blocks that contain it. It is
in grey levels and carries the brightness of the image: a flat image gives itself.

Han, Ma, Zhou, Fan, Liang & Fang, "A Robust Infrared Small Target Detection
Algorithm Based on Human Visual System", IEEE Geoscience and Remote Sensing Letters
11(12), 2168-2172 (2014), doi 10.1109/LGRS.2014.2323236.

Departs: no difference of Gaussians comes first (the letter does not give its kernel)
and the neighbours are one grid step away, both as in the public code
moradisaed/ILCM, to whose grid ours is equal; the letter's neighbours do not overlap
the block, `reach=2`. The letter has no map of pixels. Its k of 10 to 20 is meant for
the filtered image; without the filter k has the best pooled F1 on the 341 NUAA-SIRST
training and validation images, `python benchmarks/calibrate.py --methods ilcm`. A
block without neighbours, or with black ones only, has saliency 0.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from skimage.util import view_as_blocks

from baselines.hvs.cells import largest_neighbour, ratio
from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd


@dataclass(frozen=True)
class ILCM(Segmenter):
    card = Card("ILCM", "hvs", "GRSL", 2014, "10.1109/LGRS.2014.2323236", "reference-checked")
    threshold = MeanStd(5.5)
    excused = {
        "finds_a_bright_target": "the map is flat on the block that holds the target, so that "
        "its first largest pixel can be 7 pixels away"
    }

    step: int = parameter(4, "of the grid, pixels; half the side of a block; paper")
    reach: int = parameter(1, "distance of the neighbours, grid steps; moradisaed/ILCM (paper: 2)")

    def score(self, image: Image) -> Map:
        height, width = image.shape
        tiles = _largest_of_four(np.pad(self.grid(image), 1))
        score = tiles.repeat(self.step, axis=0).repeat(self.step, axis=1)
        return np.ascontiguousarray(score[:height, :width])

    def grid(self, image: Image) -> np.ndarray:
        """The saliency of the blocks, float64 (rows, columns).

        Block (p, q) is the part [step p, step (p + 2)) x [step q, step (q + 2)) of the
        image, which is padded by replicate below and on the right to whole steps.
        """
        below, right = (max(2 * self.step - size, -size % self.step) for size in image.shape)
        padded = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE)
        tiles = view_as_blocks(padded, (self.step, self.step))
        brightest = _largest_of_four(tiles.max(axis=(2, 3)))
        sums = tiles.sum(axis=(2, 3))
        across = sums[:, :-1] + sums[:, 1:]
        means = (across[:-1] + across[1:]) / (2 * self.step) ** 2
        # Means are not negative, so that neighbours outside the grid, 0, are never the largest.
        background = largest_neighbour(np.pad(means, self.reach), self.reach)
        return ratio(brightest * means, background)


def _largest_of_four(tiles: np.ndarray) -> np.ndarray:
    """The largest value of each 2 x 2 square of neighbouring tiles, one less each way."""
    across = np.maximum(tiles[:, :-1], tiles[:, 1:])
    return np.maximum(across[:-1], across[1:])
