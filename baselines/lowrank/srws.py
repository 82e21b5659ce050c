"""SRWS: each patch is a combination of the others, and edges are held back in the target.

The background comes from several subspaces, so the patch matrix X is written as X Z, a
combination of its own columns. Clutter goes to E, which fills whole columns, the target
to T, whose entries are weighted by w, large on edges ("overlapping edge information"):

    min |Z|_F^2 + lambda |E|_{2,1} + gamma |w . T|_1
    subject to  X = X Z + E + T,  1 Z = 1 (a row of ones),

solved by alternating directions. A pixel's score is the mean of T over the windows that
cover it, for grey levels in [0, 1]: of the order of 0.01.

Zhang, Peng, Wu, He, Li & Yang, "Infrared small target detection via self-regularized
weighted sparse model", Neurocomputing 420, 124-148 (2021).

Equal, in map and number of passes, to the authors' public code Tianfang-Zhang/SRWS. The
paper's self-regularisation, |Z - P Q|_F^2 and a graph term on Q, is left out because it
has no effect: P and Q start at zero, and every step of theirs maps zero to zero. As in
the code the loop ends as soon as the number of target entries settles, after a few
passes, and a last window that would touch the far border is left out.
Departs: the code has no windows on an image not larger than the window, and no limit of
passes; here the window shrinks, and there is one.
The paper's threshold was not reachable: k has the best pooled F1 on the 85 NUAA-SIRST
validation images, `python benchmarks/calibrate.py --methods srws --split val`.
"""

from dataclasses import dataclass
from itertools import count

import numpy as np
from scipy.linalg import eigh
from scipy.ndimage import correlate1d

from baselines.lowrank.patches import Grid
from baselines.lowrank.proximal import soft_threshold
from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd


@dataclass(frozen=True)
class SRWS(Segmenter):
    card = Card(
        "SRWS",
        "lowrank",
        "NC",
        2021,
        "https://www.sciencedirect.com/science/article/pii/S0925231220313461",
        "reference-checked",
    )
    threshold = MeanStd(0.5)

    patch: int = parameter(50, "side of the windows, pixels (paper and code)")
    step: int = parameter(10, "between windows, pixels (paper and code)")
    span: int = parameter(4, "side of the window that gradients are summed over, pixels (code)")
    contrast: float = parameter(2.0, "the strongest edge's weight is exp of it (code)")
    clutter_weight: float = parameter(
        1.0, "lambda times the root of the image's longer side (code)"
    )
    target_weight: float = parameter(0.09, "gamma times the root of the image's longer side (code)")
    growth: float = parameter(1.5, "of the penalty mu, a pass (paper and code)")
    tolerance: float = parameter(
        1e-7, "|X - X Z - E - T| / |X| at which the loop stops (paper and code)"
    )
    limit: int = parameter(100, "passes")

    def score(self, image: Image) -> Map:
        height, width = image.shape
        patch = min(self.patch, height - 1, width - 1)
        if patch == 0:
            return np.zeros(image.shape)
        step = min(self.step, patch)
        rows, columns = (tuple(range(0, side - patch, step)) for side in image.shape)
        grid = Grid(image.shape, patch, rows, columns)
        patches = grid.matrix(image / 255)
        if np.ptp(patches) == 0:
            return np.zeros(image.shape)
        target, _ = self.split(patches, grid.matrix(self.edges(image)), max(image.shape))
        return np.maximum(grid.mean(target), 0)

    def edges(self, image: Image) -> np.ndarray:
        """Weights 1 .. exp(contrast), (H, W), by the signed sum of both derivatives near by."""
        down, across = np.gradient(image / 255)
        ones, origin = np.ones(self.span), -1  # the window of 4 lies at -1 .. +2
        edge = correlate1d(down + across, ones, 0, mode="constant", origin=origin)
        edge = correlate1d(edge, ones, 1, mode="constant", origin=origin)
        edge = edge / (edge.max() or 1)  # as the code: a maximum below zero turns the order
        return np.exp(self.contrast * (edge - edge.min()) / (np.ptp(edge) or 1))

    def split(self, patches: np.ndarray, edges: np.ndarray, side: int) -> tuple[np.ndarray, int]:
        """The target part of a patch matrix (m, n) and the number of passes it took.

        `edges` are the weights (m, n) of its entries, `side` is the image's longer side.
        """
        scale = np.sqrt(side)
        clutter_weight, target_weight = self.clutter_weight / scale, self.target_weight / scale
        # With the eigenvectors V of X^T X + 1^T 1 as basis the step for Z is a division. The
        # multiplier of Z = J, a copy of Z for the regularisation, cancels from it.
        values, basis = eigh(patches.T @ patches + 1, driver="evd", check_finite=False)
        atoms, sums = patches @ basis, basis.sum(axis=0)[:, None]  # X V and (1 V)^T
        size = np.linalg.norm(patches)
        mu = 1 / (5 * patches.std(ddof=1))
        mixture = np.zeros_like(basis)  # V^T Z
        clutter, target, dual = (np.zeros_like(patches) for _ in range(3))
        sum_dual = np.zeros(len(values))  # of 1 Z = 1
        entries = 0
        for passes in count(1):
            pull = mu * (values[:, None] * basis.T + mixture) - sums * sum_dual
            if passes > 1:  # before, what is multiplied is zero
                pull += atoms.T @ (dual - mu * (clutter + target))
            mixture = pull / (2 + mu + mu * values)[:, None]
            rest = patches - atoms @ mixture

            column = rest - target + dual / mu
            length = np.linalg.norm(column, axis=0)
            with np.errstate(divide="ignore"):
                clutter = column * np.maximum(1 - clutter_weight / mu / length, 0)
            target = soft_threshold(rest - clutter + dual / mu, target_weight / mu * edges)
            gap = rest - clutter - target
            before, entries = entries, np.count_nonzero(target)
            if (
                np.linalg.norm(gap) < self.tolerance * size
                or abs(entries - before) <= 1
                or passes == self.limit
            ):
                return target, passes
            dual += mu * gap
            sum_dual += mu * ((sums * mixture).sum(axis=0) - 1)
            mu *= self.growth
