"""MoG-MRF: targets are one component of a noise mixture whose labels are smooth.

    Y = U' V + E,   E ~ sum over k of label_k N(mu_k, 1 / tau_k),   k = 0, 1, 2

Y holds the patches of the image as columns. Its low-rank part is the background; what
is left is noise from three Gaussians, and the one that starts at a positive mean is the
target. A Markov random field on the labels of each patch makes neighbours agree. All is
inferred by variational Bayes, in turn: U and V with the precisions of their rows (rows
that carry nothing are dropped), the Gaussians, then the labels by sweeps of mean-field
updates in place. The map is the noise, its minimum set to 0, where the label is the
target's; a pixel takes the median over its patches.

Gao, Wang, Xiao, Zhao & Meng, "Infrared small-dim target detection based on Markov
random field guided noise modeling", Pattern Recognition 76, 463-475 (2018),
doi:10.1016/j.patcog.2017.11.016. The model without the field: Zhao, Meng, Xu, Zuo &
Zhang, "Robust principal component analysis with complex noise", ICML (2014).

Equal to the authors' public code gaocq/MoG-for-small-target-detection run on one frame;
of the paper the abstract was reachable. Departs: the method is made for three frames of
a sequence, which a single image withholds from it. The authors' step is 5; 10 takes a
quarter of the time. Their code shows all components: the choice of the positive one is
ours. Where it draws random centres, if a component starts empty, the centres are
quantiles; where it fails, on fewer patches than rows of U, there are half as many rows as
patches. Images no larger than a patch, and the strips at the far borders that no patch
covers, have an empty map.
The paper's threshold was not reachable: k has the best pooled F1 on the first 12 NUAA-SIRST
validation images, `python benchmarks/calibrate.py --methods mogmrf --split val --limit 12`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from scipy.special import digamma

from baselines.lowrank.patches import Grid
from istsbench.compiled import njit
from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd

CENTRES = np.array([-0.035, 0.055, -0.025])  # first means of the Gaussians, grey / 255 (code)
QUANTILES = (0.02, 0.98, 0.3)  # of the noise: the centres if one of those above is nearest to none
PRIOR = 1e-6  # every hyperparameter (code): as good as no prior knowledge
PATCHES = 64  # of 50x50 pixels with 3 labels: 2 x 4 MB of doubles
ROWS = 64  # of a patch matrix, of which three fit into the cache
LANES = 8  # matrices that are inverted side by side
SERIES = (1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0)  # 1 / 7!, ... 1 / 0!


@njit(error_model="numpy", fastmath={"contract"})
def exponential(x: float) -> float:
    """exp(x) for |x| <= 8, to 1e-11; unlike the library's it compiles to SIMD."""
    x /= 64
    power = 1 / 40320
    for factor in SERIES:
        power = power * x + factor
    for _ in range(6):
        power *= power
    return power


@njit(error_model="numpy", fastmath={"contract"})
def sweep(labels: np.ndarray, likelihood: np.ndarray, weight: float) -> None:
    """Update all labels (K, p, p, n) of some patches once, in place; see `smooth`."""
    last, side, count = len(labels) - 1, labels.shape[1], labels.shape[3]
    outside = np.zeros(count)
    base, total = np.empty((2, count))
    for y in range(side):
        for x in range(side):
            for k in range(last, -1, -1):
                here, like = labels[k, y, x], likelihood[k, y, x]
                up = labels[k, y - 1, x] if y > 0 else outside
                down = labels[k, y + 1, x] if y < side - 1 else outside
                left = labels[k, y, x - 1] if x > 0 else outside
                right = labels[k, y, x + 1] if x < side - 1 else outside
                if k == last:  # the exponents are taken relative to this one's
                    for j in range(count):
                        base[j] = up[j] + down[j] + left[j] + right[j]
                        here[j] = total[j] = like[j]
                else:
                    for j in range(count):
                        near = up[j] + down[j] + left[j] + right[j]
                        here[j] = exponential(weight * (near - base[j])) * like[j]
                        total[j] += here[j]
            for j in range(count):
                total[j] = 1 / total[j]
            for k in range(last + 1):
                for j in range(count):
                    labels[k, y, x, j] *= total[j]


@njit
def smooth(labels: np.ndarray, likelihood: np.ndarray, weight: float, sweeps: int) -> None:
    """Mean-field updates, in place, of the label probabilities of many patches.

    `labels` and `likelihood` are (K, p, p, n): K labels, n patches of p x p pixels. The
    labels of a pixel become likelihood * exp(weight * sum of its 4 neighbours' labels),
    scaled to sum 1. Each update sees those before it, row by row; column by column would
    be the same.
    """
    for first in range(0, labels.shape[3], PATCHES):  # so many that they stay in the cache
        chosen = labels[..., first : first + PATCHES].copy()
        given = likelihood[..., first : first + PATCHES].copy()
        for _ in range(sweeps):
            sweep(chosen, given, weight)
        labels[..., first : first + PATCHES] = chosen


@njit(error_model="numpy", fastmath={"contract"})
def solve(matrices: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Invert many positive definite matrices in place and return the solutions (r, n).

    `matrices` (r (r + 1) / 2, n) holds the lower triangle of each, row by row; `right` is
    (r, n). Every pivot in turn is swept (Gauss-Jordan on a symmetric matrix), 8 matrices at
    a time, which fit into the cache.
    """
    size, count = right.shape
    solutions = np.empty_like(right)
    block, column = np.empty((len(matrices), LANES)), np.empty((size, LANES))
    for first in range(0, count, LANES):
        lanes = min(LANES, count - first)
        block[:] = 1
        block[:, :lanes] = matrices[:, first : first + lanes]
        for k in range(size):
            pivot = k * (k + 1) // 2 + k
            for i in range(size):
                at = i * (i + 1) // 2 + k if i > k else k * (k + 1) // 2 + i
                for j in range(LANES):
                    column[i, j] = block[at, j]
            for j in range(LANES):
                block[pivot, j] = 1 / column[k, j]
            for i in range(size):
                if i == k:
                    continue
                start = i * (i + 1) // 2
                for other in range(i + 1):
                    if other == k:
                        continue
                    for j in range(LANES):
                        share = column[i, j] * block[pivot, j]
                        block[start + other, j] -= share * column[other, j]
            for i in range(size):
                at = i * (i + 1) // 2 + k if i > k else k * (k + 1) // 2 + i
                if i != k:
                    for j in range(LANES):
                        block[at, j] = column[i, j] * block[pivot, j]
            for j in range(LANES):
                block[pivot, j] = -block[pivot, j]
        matrices[:, first : first + lanes] = -block[:, :lanes]
        for i in range(size):
            for j in range(lanes):
                total = 0.0
                for other in range(size):
                    at = i * (i + 1) // 2 + other if i > other else other * (other + 1) // 2 + i
                    total -= block[at, j] * right[other, first + j]
                solutions[i, first + j] = total
    return solutions


def halves(data: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """U (rank, m) and V (rank, n) of which U' V is the nearest to the data (m, n).

    The rows of each are orthogonal; the squared length of a row is a singular value.
    """
    if data.shape[0] < data.shape[1]:
        return halves(data.T, rank)[::-1]
    count = data.shape[1]
    squares, right = eigh(data.T @ data, subset_by_index=(count - rank, count - 1))
    root = np.maximum(squares, 0) ** 0.25
    left = data @ right
    return np.divide(left, root, out=np.zeros_like(left), where=root > 0).T, (right * root).T


class Factor:
    """A Gaussian belief on the columns of a matrix (r, count), each (r,).

    `mean` is (r, count). `second` is the expected outer product of each column with
    itself, (r (r + 1) / 2, count), its lower triangle row by row.
    """

    def __init__(self, mean: np.ndarray, covariance: np.ndarray) -> None:
        """`covariance` is the lower triangle of each column's, broadcast to `second`."""
        self.mean = mean
        self.row, self.column = np.tril_indices(len(mean))
        self.second = mean[self.row] * mean[self.column] + covariance

    def power(self) -> np.ndarray:
        """Expected squared length of each row, (r,)."""
        return self.second[self.row == self.column].sum(axis=1)

    def keep(self, alive: np.ndarray) -> None:
        """Drop the rows that are not alive, bool (r,)."""
        self.second = self.second[alive[self.row] & alive[self.column]]
        self.mean = self.mean[alive]
        self.row, self.column = np.tril_indices(len(self.mean))

    def regress(self, weights: np.ndarray, target: np.ndarray, gamma: np.ndarray) -> "Factor":
        """The belief on the other factor that this one and the data imply.

        `weights` are the precisions of the entries, (count, other); `target` is weights
        times data; `gamma` the precisions of the other factor's rows, (r,).
        """
        precision = self.second @ weights
        precision[self.row == self.column] += gamma[:, None]
        mean = solve(precision, self.mean @ target)  # from here on it is the covariance
        return Factor(mean, precision)


class Gaussians:
    """A belief on the mean, precision and share of each component, from labelled noise."""

    def __init__(self, labels: np.ndarray, noise: np.ndarray, square: np.ndarray) -> None:
        """`labels` (K, m, n); `noise` and `square` (m, n): its expectation and its square's."""
        self.count = np.array([label.sum() for label in labels])
        first = np.array([np.vdot(label, noise) for label in labels])
        power = np.array([np.vdot(label, square) for label in labels])
        self.mean = first / (PRIOR + self.count)
        self.shape = PRIOR + self.count / 2
        self.rate = PRIOR + (power - first * self.mean) / 2
        self.precision = self.shape / self.rate

    def likelihood(self, noise: np.ndarray, square: np.ndarray) -> np.ndarray:
        """Share times density of each entry in each component, (K, m, n), the largest 1."""
        share = PRIOR + self.count
        level = digamma(share) - digamma(share.sum())
        level += (digamma(self.shape) - np.log(self.rate)) / 2 - 1 / (2 * share)
        level -= self.precision / 2 * self.mean**2
        result = np.empty((len(level), *noise.shape))
        for first in range(0, len(noise), ROWS):
            rows = slice(first, first + ROWS)
            part = result[:, rows]
            for k, (mean, tau) in enumerate(zip(self.mean, self.precision, strict=True)):
                np.multiply(noise[rows], tau * mean, out=part[k])
                part[k] -= tau / 2 * square[rows]
                part[k] += level[k]
            part -= part.max(axis=0)
            np.exp(part, out=part)
        return result


def first_labels(noise: np.ndarray) -> np.ndarray:
    """One-hot labels (K, m, n) of the noise (m, n): the nearest centre."""
    for centres in (CENTRES, np.quantile(noise, QUANTILES)):
        nearest = np.abs(noise - centres[:, None, None]).argmin(axis=0)
        labels = nearest == np.arange(len(centres))[:, None, None]
        if labels.any(axis=(1, 2)).all():
            break
    return labels.astype(np.float64)


@dataclass(frozen=True)
class MoGMRF(Segmenter):
    card = Card(
        "MoG-MRF", "spatial", "PR", 2018, "10.1016/j.patcog.2017.11.016", "reference-checked"
    )
    threshold = MeanStd(25.5)

    patch: int = parameter(50, "side of a patch, pixels (code)")
    step: int = parameter(10, "between patches, pixels; the authors' is 5")
    rank: int = parameter(30, "rows of U and V at first (code)")
    weight: float = parameter(1.5, "of a neighbour's label (code)")
    sweeps: int = parameter(10, "of the labels in an iteration (code)")
    tolerance: float = parameter(1e-3, "relative change of the background that ends (code)")
    iterations: int = parameter(200, "at most (code)")
    component: int = parameter(1, "0, 1 or 2: which Gaussian is the target")

    def score(self, image: Image) -> Map:
        # A patch flush with the far border is left out, as in the authors' code.
        rows, columns = (tuple(range(0, side - self.patch, self.step)) for side in image.shape)
        grid = Grid(image.shape, self.patch, rows, columns)
        if len(grid) < 2:
            return np.zeros(image.shape)
        data = grid.matrix(image / 255)
        if data.min() == data.max():
            return np.zeros(image.shape)
        noise, labels = self.split(data - data.mean())
        chosen = labels.argmax(axis=0) == self.component
        return grid.median(np.where(chosen, noise - noise.min(), 0.0))

    def split(self, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Noise (p * p, n) and label probabilities (3, p * p, n) of a centred patch matrix."""
        most = min(data.shape)
        size = self.rank if self.rank <= most else max(most // 2, 1)
        scale = np.sqrt(np.mean(data**2))
        u, v = halves(data, size)
        row, column = np.tril_indices(size)
        v = Factor(v, np.where(row == column, scale, 0.0)[:, None])
        gamma = np.full(size, scale)
        low = u.T @ v.mean
        noise = data - low
        labels = first_labels(noise)
        in_patches = (len(labels), self.patch, self.patch, -1)
        gaussians = Gaussians(labels, noise, noise**2)
        for _ in range(self.iterations):
            tau = gaussians.precision
            weights = np.tensordot(tau, labels, 1)
            target = weights * data - np.tensordot(tau * gaussians.mean, labels, 1)
            u = v.regress(weights.T, target.T, gamma)
            v = u.regress(weights, target, gamma)
            gamma = (2 * PRIOR + sum(data.shape)) / (2 * PRIOR + u.power() + v.power())
            alive = gamma <= 100 * gamma.min()
            gamma = gamma[alive]
            u.keep(alive)
            v.keep(alive)
            before, low = low, u.mean.T @ v.mean
            noise = data - low
            double = np.where(u.row == u.column, 1.0, 2.0)[:, None]
            square = data * (noise - low) + u.second.T @ (double * v.second)
            gaussians = Gaussians(labels, noise, square)
            likelihood = gaussians.likelihood(noise, square)
            smooth(
                labels.reshape(in_patches), likelihood.reshape(in_patches), self.weight, self.sweeps
            )
            if np.linalg.norm(low - before) < self.tolerance * np.linalg.norm(before):
                break
        return noise, labels
