"""MoG-MRF: targets are one component of a noise mixture whose labels are smooth.

    Y = U V' + E,   E ~ sum over k of label_k N(mu_k, 1 / tau_k),   k = 0, 1, 2

Y holds the patches of the image as columns. Its low-rank part is the background; what
is left is noise from three Gaussians, and the one with the most positive mean is the
target. A Markov random field on the labels of each patch lets neighbours agree. U, V,
the Gaussians and the labels are inferred by variational Bayes, the labels by sweeps of
mean-field updates in place. The number of columns of U and V shrinks on its own.

Gao, Wang, Xiao, Zhao & Meng, "Infrared small-dim target detection based on Markov
random field guided noise modeling", Pattern Recognition 76, 463-475 (2018). The model
without the field: Zhao et al., "Robust principal component analysis with complex
noise", ICML (2014).
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.special import digamma

from baselines.lowrank.patches import Grid
from istsbench.segmenter import Card, Image, Map, Segmenter
from istsbench.threshold import MeanStd

CENTRES = np.array([-0.035, 0.055, -0.025])  # first means of the Gaussians, grey / 255
PRIOR = 1e-6  # every hyperparameter of the authors: as good as no prior knowledge
LANES = 8  # systems that are solved side by side


@njit(cache=True)
def solve(precision: np.ndarray, right: np.ndarray) -> None:
    """Invert many positive definite matrices in place and apply each to its vector in place.

    `precision` is (r (r + 1) / 2, count): the lower triangles, row by row, of one matrix a
    column. `right` is (r, count). Gauss-Jordan elimination, the matrices side by side.
    """
    size, count = right.shape
    work = np.zeros((len(precision), LANES))
    column, factor = np.empty((size, LANES)), np.empty((size, LANES))
    for start in range(0, count, LANES):
        lanes = min(LANES, count - start)
        work[:, :lanes] = precision[:, start : start + lanes]
        work[:, lanes:] = 1.0
        for k in range(size):
            for i in range(size):
                at = k * (k + 1) // 2 + i if i < k else i * (i + 1) // 2 + k
                for lane in range(LANES):
                    column[i, lane] = work[at, lane]
            for i in range(size):
                for lane in range(LANES):
                    factor[i, lane] = column[i, lane] / column[k, lane]
            at = 0
            for i in range(size):
                for j in range(i + 1):
                    for lane in range(LANES):
                        work[at, lane] -= factor[i, lane] * column[j, lane]
                    at += 1
            for i in range(size):
                at = k * (k + 1) // 2 + i if i < k else i * (i + 1) // 2 + k
                for lane in range(LANES):
                    work[at, lane] = factor[i, lane] if i != k else -1 / column[k, lane]
        precision[:, start : start + lanes] = -work[:, :lanes]
        column[:, :lanes] = right[:, start : start + lanes]
        right[:, start : start + lanes] = 0
        at = 0
        for i in range(size):
            for j in range(i + 1):
                for lane in range(lanes):
                    right[i, start + lane] -= work[at, lane] * column[j, lane]
                    if i != j:
                        right[j, start + lane] -= work[at, lane] * column[i, lane]
                at += 1
