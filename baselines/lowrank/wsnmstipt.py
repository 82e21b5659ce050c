"""WSNMSTIPT: infrared patch-tensor and weighted Schatten p-norm minimisation.

Frames stacked to a third-order tensor hold a low-rank background and a sparse target.
The background is measured by the weighted Schatten p-norm, nearer to rank than the
nuclear norm: a power p < 1 of each singular value, weighted by its reciprocal.

    min sum_i w_i sigma_i(B)^p + lambda |W . T|_1   s.t.  D = B + T, T >= 0,
    w_i = C sqrt(H W) / sigma_i(B),   W = 1 / (T + 0.01)

Sun, Yang, Li & An, "Infrared small target detection via spatial-temporal infrared
patch-tensor model and weighted Schatten p-norm minimization", Infrared Physics &
Technology 102, 103050 (2019), 10.1016/j.infrared.2019.103050.

Formulas and constants are those of the authors' code (yangsunNUDT/WSNMSTIPT), whose
"patch" is the whole frame. A single image is a tensor of one frame: the plain matrix.
The loop stops when the rank of T repeats, mostly at once and far from the optimum; where
the first T is empty the map is zero. Both belong to the method. Departs: that code counts
every singular value above exactly 0, that is rounding noise; here above 1e-6. The float
map is equal to that of the code with this one edit.
The paper's threshold was not reachable: k has the best pooled F1 on the 341 NUAA-SIRST
training and validation images, `python benchmarks/calibrate.py --methods wsnmstipt`.
"""

from dataclasses import dataclass

import numpy as np

from baselines.lowrank.proximal import nonnegative_soft_threshold, shrink_singular_values
from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd


def schatten_shrink(values: np.ndarray, weight: float, power: float) -> np.ndarray:
    """Shrink singular values s by the weighted Schatten norm, weights `weight` / s.

    Three rounds of generalised soft thresholding, the minimiser of w x^p + (x - s)^2 / 2,
    with weights renewed from the result of the last; a value once 0 stays 0.
    """
    shrunk, alive = values, values > 0
    for _ in range(3):
        w = weight / (shrunk[alive] + np.finfo(float).eps)
        base = 2 * w * (1 - power)
        limit = base ** (1 / (2 - power)) + power * w * base ** ((power - 1) / (2 - power))
        above = values[alive] > limit
        alive[alive] = above
        s, w = values[alive], w[above]
        x = s
        for _ in range(2):
            x = s - power * w * x ** (power - 1)
        shrunk = np.zeros_like(values)
        shrunk[alive] = x
    return shrunk


def rank(sparse: np.ndarray, tolerance: float) -> int:
    """The number of singular values above `tolerance`; fast where most rows are zero."""
    filled = sparse[np.ix_(sparse.any(axis=1), sparse.any(axis=0))]
    return int(np.count_nonzero(np.linalg.svd(filled, compute_uv=False) > tolerance))


@dataclass(frozen=True)
class WSNMSTIPT(Segmenter):
    card = Card(
        "WSNMSTIPT",
        "lowrank",
        "INFPHY",
        2019,
        "10.1016/j.infrared.2019.103050",
        "reference-checked",
    )
    threshold = MeanStd(1)

    sparsity: float = parameter(5.0, "lambda = sparsity / sqrt(longer side)")
    weight: float = parameter(5.0, "C")
    power: float = parameter(0.8, "p")
    penalty: float = parameter(1e-2, "mu at the start, per grey level")
    growth: float = parameter(1.1, "of mu in each iteration")
    tolerance: float = parameter(1e-7, "of |B + T - D| / |D|")
    iterations: int = parameter(500, "at most")

    def score(self, image: Image) -> Map:
        if image.min() == image.max():
            return np.zeros_like(image)
        target, _ = self.split(image)
        return target

    def split(self, image: Image) -> tuple[np.ndarray, int]:
        """The target part of an image (H, W), and the number of iterations."""
        sparsity = self.sparsity / np.sqrt(max(image.shape))
        weight = self.weight * np.sqrt(image.size)
        size = np.linalg.norm(image)
        mu, kept = self.penalty, 0
        target, dual, reweight = np.zeros_like(image), np.zeros_like(image), 1.0

        def shrink(values: np.ndarray) -> np.ndarray:
            return schatten_shrink(values, weight / mu, self.power)

        for iteration in range(1, self.iterations + 1):
            shifted = image - dual / mu
            background, _ = shrink_singular_values(shifted - target, shrink)
            target = nonnegative_soft_threshold(shifted - background, reweight * (sparsity / mu))
            reweight = 1 / (target + 0.01)
            residual = background + target - image
            dual += mu * residual
            mu = min(mu * self.growth, 1e10)
            before, kept = kept, rank(target, 1e-6)
            if kept == before or np.linalg.norm(residual) < self.tolerance * size:
                return target, iteration
        return target, self.iterations
