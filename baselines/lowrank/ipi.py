"""IPI: background patches look alike, a target touches few of their pixels.

Every window of the image becomes a column of the patch matrix D, scaled to [0, 1]. The
background B of such a matrix has low rank, the target T is sparse, the rest is noise:

    min |B|_* + lambda |T|_1 + |D - B - T|_F^2 / (2 mu),

solved by accelerated proximal gradient steps while mu falls. A pixel's score is the
median of T over the windows that cover it.

Gao, Meng, Yang, Wang, Zhou & Hauptmann, "Infrared patch-image model for small target
detection in a single image", IEEE Transactions on Image Processing 22(12), 4996-5009
(2013).

Equal, in map and number of passes, to the authors' public code
gaocq/IPI-for-small-target-detection, whose values are taken: lambda from the image's
size, mu falling by 0.9 to 0.005 of the fourth singular value, and a stop at a rank of
0.3 of the full one. That last rule nearly always ends the loop, long before
convergence: the map is that of an early stop.
Departs: the code fails on images smaller than the window or with fewer than four
windows; here the window shrinks, and fewer than four give an empty map.
The paper's threshold was not reachable: k has the best pooled F1 on the 85 NUAA-SIRST
validation images, `python benchmarks/calibrate.py --methods ipi --split val`.
"""

from dataclasses import dataclass
from itertools import count

import numpy as np

from baselines.lowrank.device import OnDevice
from baselines.lowrank.patches import Grid
from baselines.lowrank.proximal import leading_spectrum, soft_threshold, spectrum, svt
from istsbench.compiled import njit
from istsbench.segmenter import Card, Image, Map, parameter
from istsbench.threshold import MeanStd

FEW = 1 / 8  # of the singular values, up to which they are found faster on their own


# The two halves of a pass between which the singular values are shrunk; all arrays are flat.


@njit
def aim(
    patches: np.ndarray, new: np.ndarray, old: np.ndarray, momentum: float, middle: np.ndarray
) -> None:
    """Set `middle` to the mean of the patches and what `old` and `new`, B - T, lead to."""
    for i in range(len(patches)):
        middle[i] = (patches[i] + (new[i] + momentum * (new[i] - old[i]))) / 2


@njit(fastmath={"contract", "reassoc"})
def settle(
    patches: np.ndarray, middle: np.ndarray, low: np.ndarray, cut: float, difference: np.ndarray
) -> tuple[int, float, float]:
    """Set `difference` to B - T, with B = `low`; T is not stored.

    Returns the number of entries of T, its square sum and that of the step of B - T.
    """
    entries, power, step = 0, 0.0, 0.0
    for i in range(len(patches)):
        rest = patches[i] - middle[i]
        target = rest - min(max(rest, -cut), cut)
        difference[i] = low[i] - target
        entries += target != 0
        power += target * target
        change = difference[i] - (2 * middle[i] - patches[i])
        step += change * change
    return entries, power, step


@dataclass(frozen=True)
class IPI(OnDevice):
    card = Card("IPI", "lowrank", "TIP", 2013, "10.1109/TIP.2013.2281420", "reference-checked")
    threshold = MeanStd(15)

    patch: int = parameter(50, "side of the windows, pixels (paper and code)")
    step: int = parameter(10, "between windows, pixels (paper and code)")
    decay: float = parameter(0.9, "of mu, a pass (code)")
    floor: float = parameter(0.005, "smallest mu, share of the fourth singular value (code)")
    rank_share: float = parameter(0.3, "of the full rank, at which the loop stops (code)")
    tolerance: float = parameter(1e-6, "relative gradient at which the loop stops (code)")
    limit: int = parameter(1000, "passes (code)")

    def score(self, image: Image) -> Map:
        grid = Grid.inside(image.shape, self.patch, self.step)
        patches = grid.matrix(image)
        spread = np.ptp(patches)
        if spread == 0:
            return np.zeros(image.shape)
        patches = (patches - patches.min()) / spread
        target, _ = self.split(patches, weight=1 / np.sqrt(max(image.shape)))
        return np.maximum(grid.median(target), 0)

    def split(self, patches: np.ndarray, weight: float) -> tuple[np.ndarray, int]:
        """The sparse part of a patch matrix (m, n) and the number of passes it took.

        The step length of 1/2 makes both gradient steps depend on B - T alone: with its
        extrapolation A they are (D + A) / 2 for B and what that leaves of D for T.
        """
        patches = np.ascontiguousarray(patches)
        values, vectors = spectrum(patches, self.device)
        # Rank one: all is background. The smallest mu needs a fourth value.
        if len(values) < 4 or values[1] < 1e-6 * values[0]:
            return np.zeros_like(patches), 0
        mu, smallest = values[1], self.floor * values[3]
        largest_rank = self.rank_share * len(values)
        difference, older = np.zeros((2, *patches.shape))  # B - T, after the last pass and before
        middle = np.empty(patches.shape)
        kept = older_kept = np.zeros_like(values)  # singular values of B
        t, older_t = 1.0, 1.0
        empty = True
        repeats = rank_before = size_before = 0
        for passes in count(1):
            momentum = (older_t - 1) / t
            aim(patches.ravel(), difference.ravel(), older.ravel(), momentum, middle.ravel())
            known = None
            if empty:  # so far all iterates have the singular vectors of D
                known = (values + kept + momentum * (kept - older_kept)) / 2, vectors
            elif self.device == "cpu" and rank_before < FEW * len(values):
                known = leading_spectrum(middle, mu / 2)
            older_kept = kept
            background, kept = svt(middle, mu / 2, known=known, device=self.device)
            older, difference = difference, older
            cut = weight * mu / 2
            size, power, step = settle(
                patches.ravel(), middle.ravel(), background.ravel(), cut, difference.ravel()
            )
            older_t, t = t, (1 + np.sqrt(1 + 4 * t**2)) / 2
            mu = max(self.decay * mu, smallest)

            rank = np.count_nonzero(kept)
            empty = empty and size == 0
            if rank != rank_before:
                repeats, rank_before, size_before = 0, rank, size
            else:
                repeats += 1
            gradient = np.sqrt(step / 2)
            norm = np.sqrt(np.vdot(kept, kept) + power)
            if (
                gradient <= self.tolerance * max(1, norm)
                or (repeats > 10 and abs(size - size_before) < 20)
                or rank > largest_rank
                or passes == self.limit
            ):
                return soft_threshold(patches - middle, cut), passes
