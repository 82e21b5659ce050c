"""NTFRA (LogTFNN): nonconvex tensor fibered rank approximation.

Patches next to each other form a third-order tensor D. Its fibered rank is the tubal rank
along each of the three axes in turn, and a log-sum of the Fourier singular values stands
for each of the three: closer to a rank than their sum, large values hardly shrink. A total
variation is meant to calm noise and edges of the background B; the target T is sparse and
cheap on corners, as in PSTNN:

    min sum_i alpha_i sum log(sigma_i(B) + eps) + TV(B) + lambda |W . T|_1
    s.t. D = B + T, T >= 0,  W = N / ((T + 0.01) prior)

Kong, Yang, Cao, Li & Peng, "Infrared Small Target Detection via Nonconvex Tensor Fibered
Rank Approximation", IEEE Transactions on Geoscience and Remote Sensing 60, 1-21 (2022),
10.1109/TGRS.2021.3068465.

This is the authors' public code (Electromagnetism-dog-technology, "LogTFNN", as of October
2021), to whose map it is equal, not a textbook ADMM for the model above. As there, the
multipliers M_i of the low-rank copies X_i are driven by the differences of Z, the copy of B
with the total variation; these differences end in those of another tensor; V and Y start at
one; the solve for Z counts the third axis twice and the second never; the highest
frequency of an axis of odd length is quartered; where patches overlap the last one wins;
and 20 passes end before convergence.
Departs: the code fails where no singular value lies below the rank ratio; here all count.
Its demo's varpi of 0.15 is kept, its authors advise to tune it from 0.03 to 0.6.
The paper's threshold was not reachable: k has the best pooled F1 on the 341 NUAA-SIRST
training and validation images, `python benchmarks/calibrate.py --methods ntfra`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft2, rfft2

from baselines.lowrank.patches import Grid
from baselines.lowrank.proximal import nonnegative_soft_threshold
from baselines.lowrank.structure import corner_prior
from baselines.lowrank.tsvd import rank_by_ratio, shrink_slices
from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd

AXES = (0, 1, 2)


def shrink_logarithm(tensor: np.ndarray, tau: float, epsilon: float, axis: int) -> np.ndarray:
    """The step of tau sum log(sigma + epsilon) for the Fourier slices along one axis.

    A singular value s becomes the larger root of (z - s) (z + epsilon) + tau = 0, or 0
    where there is none. `tensor` is real and has three axes, the result its shape.
    """
    odd = tensor.shape[axis] % 2 == 1 and tensor.shape[axis] > 1

    def rule(values: np.ndarray) -> np.ndarray:
        root = (values + epsilon) ** 2 - 4 * tau
        shrunk = np.where(root > 0, (values - epsilon + np.sqrt(np.maximum(root, 0))) / 2, 0)
        if odd:
            shrunk[-1] /= 4  # the code overlooks half of this pair of frequencies
        return shrunk

    return shrink_slices(tensor, rule, axis)


def difference(tensor: np.ndarray, ends: np.ndarray, axis: int) -> np.ndarray:
    """Forward differences along an axis, the last one that of `ends` from its end to start."""
    result = np.empty_like(tensor)
    before, after, into, wrap = (np.moveaxis(a, axis, 0) for a in (tensor, tensor, result, ends))
    np.subtract(after[1:], before[:-1], out=into[:-1])
    np.subtract(wrap[0], wrap[-1], out=into[-1])
    return result


@dataclass(frozen=True)
class NTFRA(Segmenter):
    card = Card("NTFRA", "lowrank", "TGRS", 2021, "10.1109/TGRS.2021.3068465", "reference-checked")
    threshold = MeanStd(20.5)

    patch: int = parameter(40, "pixels; patches lie side by side (code)")
    theta: float = parameter(
        1e-5, "share of the rank along the patches, of 2 + theta (code: to 1e-4)"
    )
    varpi: float = parameter(0.15, "lambda = varpi / sqrt(patch * max(patch, patches)) (code)")
    omega: float = parameter(1e4, "inverse penalty at the start (code)")
    epsilon: float = parameter(1e-6, "added to a singular value in the logarithm (code)")
    ratio: float = parameter(
        0.1, "singular values from this share of the largest on count for N (code)"
    )
    growth: float = parameter(
        1.2, "rho: of the penalties in each pass, and the penalty of the TV (code)"
    )
    tolerance: float = parameter(1e-4, "relative change of B that ends the passes (code)")
    limit: int = parameter(20, "passes (code)")

    def score(self, image: Image) -> Map:
        if image.min() == image.max():
            return np.zeros(image.shape)
        grid = Grid.flush(image.shape, self.patch, self.patch)
        target, _ = self.split(grid.tensor(image), grid.tensor(corner_prior(image)))
        return grid.last(target)

    def split(self, data: np.ndarray, prior: np.ndarray) -> tuple[np.ndarray, int]:
        """The target part of a patch tensor (p, p, n), and the number of passes.

        All penalties grow alike, so that they are shares of one, 1 / tau: alpha_i for the
        copies of B, whose sum is one, and one for D = B + T. Multipliers are stored divided
        by their penalty: P of D = B + T, M_i of X_i = B, Y of Z = B, U_i of V_i = slope of Z.
        """
        side, _, patches = data.shape
        alpha = np.array([1, 1, self.theta]) / (2 + self.theta)
        weight = self.varpi / np.sqrt(max(patches, side) * side)
        rank = rank_by_ratio(data, self.ratio)
        tau, rho = self.omega, self.growth
        down = 4 * np.sin(np.pi * np.arange(side) / side) ** 2
        along = 4 * np.sin(np.pi * np.arange(patches // 2 + 1) / patches) ** 2
        spectrum = 1 + down[:, None, None] + 2 * along

        B, T, P, Z = (np.zeros_like(data) for _ in range(4))
        W, Y = np.ones_like(data), np.full_like(data, 1 / rho)
        M = np.zeros((3, *data.shape))
        V_and_U = np.full((3, *data.shape), 1 + 1 / rho)
        U = np.full((3, *data.shape), 1 / rho)
        for iteration in range(1, self.limit + 1):
            older, B = B, data - T + P
            for i in AXES:
                X = shrink_logarithm(older + M[i], tau, self.epsilon, i)
                B += alpha[i] * (X - M[i])
            B /= 2
            T = nonnegative_soft_threshold(data - B + P, W * (weight * tau))
            with np.errstate(divide="ignore", invalid="ignore"):
                W = rank / (T + 0.01) / prior

            Z = B - Y + sum(difference(V_and_U[i], Z, i) for i in AXES)
            Z = irfft2(rfft2(Z, axes=(0, 2)) / spectrum, s=(side, patches), axes=(0, 2))
            Y += Z - B
            for i in AXES:
                slope = difference(Z, data, i)
                M[i] = (M[i] + B - slope) / rho
                slope -= U[i]
                V = np.maximum(slope - 1 / (rho * tau), 0)
                np.subtract(V, slope, out=U[i])
                np.add(V, U[i], out=V_and_U[i])

            if np.linalg.norm(older - B) < self.tolerance * np.linalg.norm(older):
                return T, iteration
            P = (P + data - B - T) / rho
            tau /= rho
        return T, self.limit
