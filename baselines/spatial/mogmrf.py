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
covers, have an empty map. The labels are float32, all else is float64: maps equal those of
float64 labels to 1e-7.
The paper's threshold was not reachable: k has the best pooled F1 on the first 12 NUAA-SIRST
validation images, `python benchmarks/calibrate.py --methods mogmrf --split val --limit 12`.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import eigh
from scipy.special import digamma

from baselines.lowrank.patches import Grid
from baselines.spatial.labels import expect, in_blocks, in_patches, moments, smooth
from istsbench.compiled import njit
from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd

Array = np.ndarray

CENTRES = np.array([-0.035, 0.055, -0.025])  # first means of the Gaussians, grey / 255 (code)
QUANTILES = (0.02, 0.98, 0.3)  # of the noise: the centres if one of those above is nearest to none
PRIOR = 1e-6  # every hyperparameter (code): as good as no prior knowledge
LANES = 64  # matrices that are inverted side by side


@njit(error_model="numpy", fastmath={"contract"})
def solve(matrices: Array, right: Array) -> Array:
    """Solve many positive definite systems; the solutions are (r, n).

    `matrices` (r (r + 1) / 2, n) holds the lower triangle of each, row by row, and takes the
    inverse plus the outer product of the solution with itself; `right` is (r, n). Every pivot
    in turn is swept (Gauss-Jordan on a symmetric matrix), LANES matrices at a time.
    """
    size, count = right.shape
    solutions = np.empty_like(right)
    block, column = np.ones((len(matrices), LANES)), np.empty((size, LANES))
    given, share = np.zeros((size, LANES)), np.empty(LANES)
    for first in range(0, count, LANES):
        lanes = min(LANES, count - first)
        block[:, :lanes] = matrices[:, first : first + lanes]
        for k in range(size):
            for i in range(size):
                column[i] = block[i * (i + 1) // 2 + k if i > k else k * (k + 1) // 2 + i]
            pivot = block[k * (k + 1) // 2 + k]
            for j in range(LANES):
                pivot[j] = 1 / pivot[j]
            for i in range(size):
                if i == k:
                    continue
                start, entry = i * (i + 1) // 2, column[i]
                for j in range(LANES):
                    share[j] = entry[j] * pivot[j]
                for other in range(i + 1):  # k among them, which is overwritten below
                    row, factor = block[start + other], column[other]
                    for j in range(LANES):
                        row[j] -= share[j] * factor[j]
                block[start + k if i > k else k * (k + 1) // 2 + i] = share
            for j in range(LANES):
                pivot[j] = -pivot[j]
        given[:, :lanes] = right[:, first : first + lanes]
        for i in range(size):
            total = column[i]
            total[:] = 0
            for other in range(size):
                row = block[i * (i + 1) // 2 + other if i > other else other * (other + 1) // 2 + i]
                factor = given[other]
                for j in range(LANES):
                    total[j] -= row[j] * factor[j]
        for i in range(size):
            for other in range(i + 1):
                row, entry, factor = block[i * (i + 1) // 2 + other], column[i], column[other]
                for j in range(LANES):
                    row[j] = entry[j] * factor[j] - row[j]
        matrices[:, first : first + lanes] = block[:, :lanes]
        solutions[:, first : first + lanes] = column[:, :lanes]
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

    def __init__(self, mean: np.ndarray, second: np.ndarray) -> None:
        self.mean, self.second = mean, second
        self.row, self.column = np.tril_indices(len(mean))

    @classmethod
    def around(cls, mean: np.ndarray, variance: float) -> Self:
        """The belief whose entries have that variance, each on its own."""
        row, column = np.tril_indices(len(mean))
        return cls(mean, mean[row] * mean[column] + variance * (row == column)[:, None])

    def power(self) -> np.ndarray:
        """Expected squared length of each row, (r,)."""
        return self.second[self.row == self.column].sum(axis=1)

    def keep(self, alive: np.ndarray) -> None:
        """Drop the rows that are not alive, bool (r,)."""
        if alive.all():
            return
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
        mean = solve(precision, self.mean @ target)
        return Factor(mean, precision)  # by now the second moments


class Gaussians:
    """A belief on the mean, precision and share of each component, from labelled noise."""

    def __init__(self, sums: np.ndarray) -> None:
        """`sums` (3, 3) are the `moments` of the labels with the expected noise and its square."""
        self.count, first, power = sums.T
        self.mean = first / (PRIOR + self.count)
        self.shape = PRIOR + self.count / 2
        self.rate = PRIOR + (power - first * self.mean) / 2
        self.precision = self.shape / self.rate

    def terms(self) -> np.ndarray:
        """Of the logarithm of each component's share times density; see `likelihoods`."""
        share = PRIOR + self.count
        level = digamma(share) - digamma(share.sum())
        level += (digamma(self.shape) - np.log(self.rate)) / 2 - 1 / (2 * share)
        level -= self.precision / 2 * self.mean**2
        return np.stack([level, self.precision * self.mean, -self.precision / 2], axis=1)


def first_labels(noise: Array) -> Array:
    """One-hot labels (3, m, n) of the noise (m, n): the nearest centre."""

    def nearest(centres: Array) -> Array:
        distances = [np.abs(noise - centre) for centre in centres]
        first = (distances[0] <= distances[1]) & (distances[0] <= distances[2])
        second = ~first & (distances[1] <= distances[2])
        return np.stack([first, second, ~first & ~second])

    labels = nearest(CENTRES)
    if labels.any(axis=(1, 2)).all():
        return labels
    return nearest(np.quantile(noise, QUANTILES))


LARGEST = 2.0  # weight


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

    def __post_init__(self):
        if not abs(self.weight) <= LARGEST:
            raise ValueError(
                f"weight is {self.weight}, expected a size of at most {LARGEST:g}: labels of four "
                "neighbours times the weight go through an exponential that holds up to 8"
            )

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
        v = Factor.around(v, scale)
        gamma = np.full(size, scale)
        low = u.T @ v.mean
        length = np.linalg.norm(low)
        noise = data - low
        labels = in_blocks(first_labels(noise))
        gaussians = Gaussians(moments(labels, noise, noise**2))
        for _ in range(self.iterations):
            weights, target = expect(labels, data, gaussians.precision, gaussians.mean)
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
            square = u.second.T @ (double * v.second)  # and data^2 - 2 data low:
            rest = noise - low
            rest *= data
            square += rest
            gaussians = Gaussians(moments(labels, noise, square))
            smooth(labels, noise, square, gaussians.terms(), self.weight, self.sweeps)
            before -= low
            if np.linalg.norm(before) < self.tolerance * length:
                break
            length = np.linalg.norm(low)
        return noise, in_patches(labels, data.shape[1])
