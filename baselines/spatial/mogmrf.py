"""MoG-MRF: targets are one component of a noise mixture whose labels are smooth.

    Y = U V' + E,   E ~ sum over k of label_k N(mu_k, 1 / tau_k),   k = 0, 1, 2

Y holds the patches of the image as columns. Its low-rank part is the background; what
is left is noise from three Gaussians, and the one that starts at the positive centre is
the target. A Markov random field on the labels of each patch lets neighbours agree.
Everything is inferred by variational Bayes, in turn: U and V with their precisions
(which drop columns that carry nothing), the Gaussians, then the labels by sweeps of
mean-field updates in place. The map is the noise, shifted to start at 0, where the
label is the target's; a pixel takes the median over its patches.

Gao, Wang, Xiao, Zhao & Meng, "Infrared small-dim target detection based on Markov
random field guided noise modeling", Pattern Recognition 76, 463-475 (2018). The model
without the field: Zhao et al., "Robust principal component analysis with complex
noise", ICML (2014).

Equal to the authors' public code gaocq/MoG-for-small-target-detection on one frame; of
the paper the abstract was reachable. Departs: the method is for 3 frames of a sequence,
here for single images, which withholds the temporal information from it. The code shows all
three components; the choice of the positive one is ours, as is the threshold (k = 15).
The authors' step is 5; 10 takes a quarter of the time. The code draws new random centres
if a component starts empty, and fails on fewer patches than columns; here quantiles are
the centres, and small images have fewer columns.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.linalg import eigh
from scipy.special import digamma

from baselines.lowrank.patches import Grid
from istsbench.segmenter import Card, Image, Map, Segmenter
from istsbench.threshold import MeanStd

CENTRES = np.array([-0.035, 0.055, -0.025])  # first means of the Gaussians, grey / 255 (code)
QUANTILES = (0.02, 0.98, 0.3)  # of the noise: centres where one of the above is nearest to none
PRIOR = 1e-6  # each hyperparameter: as good as no prior knowledge (code)
LANES = 32  # patches that are smoothed side by side


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def exponential(x: float) -> float:
    """exp(x) for |x| <= 16 to 1e-12 or better; unlike the library's, it runs in SIMD."""
    x /= 64
    power = 1.0
    for term in range(10, 0, -1):
        power = 1 + power * x * (1 / term)
    for _ in range(6):
        power *= power
    return power


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def smooth(labels: np.ndarray, likelihood: np.ndarray, weight: float, sweeps: int) -> None:
    """Mean-field updates, in place, of the label probabilities of many patches.

    `labels` and `likelihood` are (K, p, p, n): K labels, n patches of p x p pixels. The
    labels of a pixel become likelihood * exp(weight * sum of its 4 neighbours' labels),
    scaled to sum 1; row by row, each update sees those before it.
    """
    kinds, side, _, count = labels.shape
    inner = np.zeros((side + 2, side + 2, kinds, LANES))
    known = np.ones((side, side, kinds, LANES))
    total = np.empty(LANES)
    for start in range(0, count, LANES):
        lanes = min(LANES, count - start)
        for k, y, x, j in np.ndindex(kinds, side, side, lanes):
            inner[y + 1, x + 1, k, j] = labels[k, y, x, start + j]
            known[y, x, k, j] = likelihood[k, y, x, start + j]
        for _ in range(sweeps):
            for y, x in np.ndindex(side, side):
                total[:] = 0
                for k in range(kinds):
                    for j in range(LANES):
                        near = inner[y, x + 1, k, j] + inner[y + 2, x + 1, k, j]
                        near += inner[y + 1, x, k, j] + inner[y + 1, x + 2, k, j]
                        value = exponential(weight * near) * known[y, x, k, j]
                        inner[y + 1, x + 1, k, j] = value
                        total[j] += value
                for k in range(kinds):
                    for j in range(LANES):
                        inner[y + 1, x + 1, k, j] /= total[j]
        for k, y, x, j in np.ndindex(kinds, side, side, lanes):
            labels[k, y, x, start + j] = inner[y + 1, x + 1, k, j]
