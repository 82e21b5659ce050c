"""SMSL: the background lies in several subspaces, and a few atoms span them all.

The patch matrix X (hardly overlapping windows, grey levels in [0, 1]) is split into an
orthonormal dictionary P times coefficients A with few active rows, and a sparse target T:

    min sum_i |A(i, :)|_2 + lambda |T|_1   subject to   X = P A + T,  P^T P = I.

The smallest sum of row norms over all P, A with P A = B is the nuclear norm of B, so the
optimum is that of robust principal component analysis; it is found by inexact augmented
Lagrange multipliers. A pixel's score is the mean of T over the windows that cover it.

Wang, Peng, Kong & He, "Infrared dim and small target detection based on stable
multisubspace learning in heterogeneous scene", IEEE Transactions on Geoscience and
Remote Sensing 55(10), 5481-5493 (2017).

Reconstruction: the paper's text and code were not reachable. The model is that of robust
orthonormal subspace learning (Shu, Porikli & Ahuja, CVPR 2014); the windows are those
that later comparisons are recalled to use. The weight of 3 recalled with them finds next
to nothing in this form: 0.75 was best of 0.5, 0.75, 1, 1.25 and 1.5 on a third of the
NUAA-SIRST training images.
Departs: the paper's tolerance of small dense noise is the stopping tolerance only.
The paper's threshold was not reachable: k has the best pooled F1 on the 85 NUAA-SIRST
validation images, `python benchmarks/calibrate.py --methods smsl --split val`.
"""

from dataclasses import dataclass
from itertools import count

import numpy as np

from baselines.lowrank.patches import Grid
from baselines.lowrank.proximal import singular_values, soft_threshold, svt
from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd


@dataclass(frozen=True)
class SMSL(Segmenter):
    card = Card(
        "SMSL",
        "lowrank",
        "TGRS",
        2017,
        "https://ieeexplore.ieee.org/document/7999276",
        "reconstruction",
    )
    threshold = MeanStd(17)

    patch: int = parameter(30, "side of the windows, pixels (later comparisons)")
    step: int = parameter(30, "between windows, pixels (later comparisons)")
    weight: float = parameter(
        0.75, "lambda times the root of the patch matrix's shorter side (chosen)"
    )
    growth: float = parameter(1.5, "of the penalty mu, a pass (subspace learning's public code)")
    tolerance: float = parameter(
        1e-7, "|X - B - T| / |X| at which the loop stops (later comparisons)"
    )
    limit: int = parameter(100, "passes")

    def score(self, image: Image) -> Map:
        grid = Grid.flush(image.shape, self.patch, self.step)
        if np.ptp(image) == 0:
            return np.zeros(image.shape)
        target, _ = self.split(grid.matrix(image / 255))
        return np.maximum(grid.mean(target), 0)

    def split(self, patches: np.ndarray) -> tuple[np.ndarray, int]:
        """The sparse part of a patch matrix (m, n) and the number of passes it took."""
        weight = self.weight / np.sqrt(min(patches.shape))
        size = np.linalg.norm(patches)
        mu = 1.25 / singular_values(patches)[0]
        background, dual = patches, np.zeros_like(patches)  # dual: the multiplier over mu
        for passes in count(1):
            target = soft_threshold(patches - background + dual, weight / mu)
            background, _ = svt(patches - target + dual, 1 / mu)
            residual = patches - background - target
            if np.linalg.norm(residual) < self.tolerance * size or passes == self.limit:
                return target, passes
            mu *= self.growth
            dual = (dual + residual) / self.growth
