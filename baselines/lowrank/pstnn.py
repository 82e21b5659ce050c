"""PSTNN: partial sum of the tensor nuclear norm.

Patches next to each other, stacked to a third-order tensor, hold a background whose
Fourier slices have low rank, and a sparse target. Only the tail of the singular values
is penalised (all but the N largest), which is nearer to rank than their sum and
converges in a few steps. A corner measure from the structure tensor makes the target
cheap on spots and dear on edges:

    min sum_k sum_{i>N} sigma_i(Bh_k) + lambda |W . T|_1   s.t.  D = B + T, T >= 0,
    W = N / ((T + 0.01) prior)

Zhang & Peng, "Infrared Small Target Detection Based on Partial Sum of the Tensor Nuclear
Norm", Remote Sensing 11(4), 382 (2019), 10.3390/rs11040382.

Formulas and constants are those of the authors' code (Lanneeee/Infrared-Small-Target-
Detection-based-on-PSTNN), to whose float map the map is equal; where patches overlap the
last one wins, as there. Departs: that code fails where no singular value lies below the
rank ratio; here all values then count.
The paper's threshold was not reachable: k has the best pooled F1 on the 341 NUAA-SIRST
training and validation images, `python benchmarks/calibrate.py --methods pstnn`.
"""

from dataclasses import dataclass

import numpy as np

from baselines.lowrank.patches import Grid
from baselines.lowrank.proximal import nonnegative_soft_threshold
from baselines.lowrank.structure import corner_prior
from baselines.lowrank.tsvd import rank_by_ratio, shrink_slices
from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd


@dataclass(frozen=True)
class PSTNN(Segmenter):
    card = Card("PSTNN", "lowrank", "RS", 2019, "10.3390/rs11040382", "reference-checked")
    threshold = MeanStd(12)

    patch: int = parameter(40, "pixels")
    step: int = parameter(40, "pixels")
    sparsity: float = parameter(0.7, "L: lambda = L / sqrt(patch * number of patches)")
    ratio: float = parameter(0.1, "singular values from this share of the largest on are spared")
    penalty: float = parameter(2e-3, "mu at the start, per grey level")
    growth: float = parameter(1.05, "of mu in each iteration")
    tolerance: float = parameter(1e-3, "of |B + T - D| / |D|")
    iterations: int = parameter(500, "at most")

    def score(self, image: Image) -> Map:
        if image.min() == image.max():
            return np.zeros_like(image)
        grid = Grid.flush(image.shape, self.patch, self.step)
        target, _ = self.split(grid.tensor(image), grid.tensor(corner_prior(image)))
        return grid.last(target)

    def split(self, data: np.ndarray, prior: np.ndarray) -> tuple[np.ndarray, int]:
        """The target part of a patch tensor (p, p, n), and the number of iterations."""
        weight = self.sparsity / np.sqrt(data.shape[0] * data.shape[2])
        rank = rank_by_ratio(data, self.ratio)
        size = np.linalg.norm(data)
        mu, count = self.penalty, 0
        target, dual, reweight = np.zeros_like(data), np.zeros_like(data), np.ones_like(data)

        def partial_sum(values: np.ndarray) -> np.ndarray:
            shrunk = np.maximum(values - 1 / mu, 0)
            shrunk[:, :rank] = values[:, :rank]
            return shrunk

        for iteration in range(1, self.iterations + 1):
            shifted = data - dual / mu
            background = shrink_slices(shifted - target, partial_sum)
            target = nonnegative_soft_threshold(shifted - background, reweight * (weight / mu))
            with np.errstate(divide="ignore", invalid="ignore"):
                reweight = rank / (target + 0.01) / prior
            residual = background + target - data
            before, count = count, np.count_nonzero(target)
            if np.linalg.norm(residual) < self.tolerance * size or 0 < count == before:
                return target, iteration
            dual += mu * residual
            mu = min(mu * self.growth, 1e10)
        return target, self.iterations
