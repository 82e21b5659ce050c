"""NIPPS: as IPI, but leaving the background's strongest components untouched.

The nuclear norm of IPI shrinks every singular value of the background, which leaves
remains of strong but rare edges in the target. Here the N leading ones are free, and
the target may only be bright:

    min sum_{j > N} sigma_j(B) + lambda |T|_1   subject to   D = B + T,  T >= 0,

with D the patch matrix, solved by inexact augmented Lagrange multipliers. A pixel's
score is the mean of T over the windows that cover it, in grey levels.

Dai, Wu, Song & Guo, "Non-negative infrared patch-image model: robust target-background
separation via partial sum minimization of singular values", Infrared Physics &
Technology 81, 182-194 (2017).

Equal, in map, N and number of passes, to the author's public code YimianDai/DENTIST at
its demo's settings. N counts the singular values of D above a share of the first; where
the scene is dark or the contrast large it is most of them, the background takes
everything and the map is empty: so is the published code's.
Departs: the code fails if all singular values count, or if the image is smaller than
the window; here N is then their number, and the window shrinks.
The paper's threshold was not reachable: k has the best pooled F1 on the 85 NUAA-SIRST
validation images, `python benchmarks/calibrate.py --methods nipps --split val`.
"""

from dataclasses import dataclass
from itertools import count

import numpy as np

from baselines.lowrank.device import OnDevice
from baselines.lowrank.patches import Grid
from baselines.lowrank.proximal import spectrum, svt
from istsbench.compiled import njit
from istsbench.segmenter import Card, Image, Map, parameter
from istsbench.threshold import MeanStd

# The two halves of a pass between which the singular values are shrunk; all arrays are flat.


@njit(fastmath={"contract", "reassoc"})
def detect(
    patches: np.ndarray,
    low: np.ndarray,
    dual: np.ndarray,
    cut: float,
    target: np.ndarray,
    middle: np.ndarray,
) -> int:
    """Set T, with B = `low`, and `middle` to D - T + dual; return the number of entries of T."""
    entries = 0
    for i in range(len(patches)):
        target[i] = max(patches[i] - low[i] + dual[i] - cut, 0)
        middle[i] = patches[i] - target[i] + dual[i]
        entries += target[i] > 0
    return entries


@njit(fastmath={"contract", "reassoc"})
def climb(
    patches: np.ndarray,
    target: np.ndarray,
    low: np.ndarray,
    middle: np.ndarray,
    decrease: float,
    dual: np.ndarray,
) -> float:
    """Set `dual` to (middle - B) times `decrease`; return the square sum of D - B - T."""
    power = 0.0
    for i in range(len(patches)):
        gap = patches[i] - target[i] - low[i]
        power += gap * gap
        dual[i] = (middle[i] - low[i]) * decrease
    return power


@dataclass(frozen=True)
class NIPPS(OnDevice):
    card = Card(
        "NIPPS",
        "lowrank",
        "INFPHY",
        2017,
        "https://www.sciencedirect.com/science/article/pii/S1350449516303723",
        "reference-checked",
    )
    threshold = MeanStd(17)
    excused = {
        "finds_a_bright_target": "with so few windows no singular value is weak: all are free"
    }

    patch: int = parameter(50, "side of the windows, pixels (code's demo)")
    step: int = parameter(10, "between windows, pixels (code's demo)")
    weight: float = parameter(
        2.0, "lambda times the root of the patch matrix's shorter side (code's demo)"
    )
    ratio: float = parameter(
        0.005, "of the first singular value, above which one is free (code's demo)"
    )
    growth: float = parameter(1.5, "of the penalty mu, a pass (code)")
    tolerance: float = parameter(1e-7, "|D - B - T| / |D| at which the loop stops (code)")
    limit: int = parameter(1000, "passes (code)")

    def score(self, image: Image) -> Map:
        grid = Grid.flush(image.shape, self.patch, self.step)
        patches = grid.matrix(image)
        if not patches.any():
            return np.zeros(image.shape)
        target, *_ = self.split(patches)
        return grid.mean(target)

    def split(self, patches: np.ndarray) -> tuple[np.ndarray, int, int]:
        """The target part of a patch matrix (m, n), the number of passes, and N."""
        patches = np.ascontiguousarray(patches)
        values, vectors = spectrum(patches, self.device)
        free = max(1, int(np.count_nonzero(values >= self.ratio * values[0])))
        weight = self.weight / np.sqrt(min(patches.shape))
        size = np.linalg.norm(patches)
        mu = 1.25 / values[0]
        largest_mu = 1e7 * mu
        share = 1 / (mu * max(values[0], patches.max() / weight))
        dual, dual_values = share * patches, share * values  # the multiplier over mu
        background, target, middle = np.zeros((3, *patches.shape))
        flat = patches.ravel()
        empty = True
        for passes in count(1):
            cut = weight / mu
            entries = detect(
                flat, background.ravel(), dual.ravel(), cut, target.ravel(), middle.ravel()
            )
            empty = empty and entries == 0
            known = None
            if empty:  # so far all iterates have the singular vectors of D, in some order
                order = np.argsort(values + dual_values)[::-1]
                values, vectors = values[order], vectors[:, order]
                known = values + dual_values[order], vectors
            background, kept = svt(middle, 1 / mu, free, known, self.device)
            decrease = max(1 / self.growth, mu / largest_mu)
            power = climb(
                flat, target.ravel(), background.ravel(), middle.ravel(), decrease, dual.ravel()
            )
            if np.sqrt(power) < self.tolerance * size or passes == self.limit:
                return target, passes, free
            if known is not None:
                dual_values = (known[0] - kept) * decrease
            mu /= decrease
