"""TV-PCP: the background looks alike from patch to patch and is smooth within each.

Every window of the image becomes a column of the patch matrix D. Its background B has
low rank and little total variation TV inside each window; its target T is sparse:

    min |B|_* + lambda_1 TV(Z) + lambda_2 |D - Z|_1   subject to   B = Z,  T = D - Z,

solved by over-relaxed Douglas-Rachford splitting: B by shrinking singular values, then Z by
the step of both other terms. That step has no closed form; it is two projected gradient
steps on the multipliers P of the slopes, which start where the pass before left them, and so
end in the optimum together with the rest. TV is isotropic, with no difference across the
border of a window. A pixel's score is the mean of T over the windows that cover it, where
positive.

Wang, Peng, Kong, Zhang & He, "Infrared dim target detection based on total variation
regularization and principal component pursuit", Image and Vision Computing 63, 1-9
(2017).

Reconstruction: of the paper the abstract was reachable. The weights are recalled from
tables of later papers. Where TV acts, the solver with its penalty, the stop and the border
rule are ours: the model is convex, and this solver comes nearer to its optimum in 15 to 40
passes than one with the penalty (0.025) and the stretch (1.5) of those tables in 100. At
these weights TV hardly acts. The arrays are float32; singular vectors come from float64.
The paper's threshold was not reachable: k has the best pooled F1 on the 85 NUAA-SIRST
validation images, `python benchmarks/calibrate.py --methods tvpcp --split val`.
"""

from dataclasses import dataclass
from itertools import count

import numpy as np

from baselines.lowrank.device import OnDevice
from baselines.lowrank.patches import Grid
from baselines.lowrank.proximal import svt
from baselines.lowrank.tensors import fold, unfold
from istsbench.compiled import njit
from istsbench.segmenter import Card, Image, Map, parameter
from istsbench.threshold import MeanStd

Array = np.ndarray

# Below, `data` (D), `goal` and `smooth` (Z) are (p, p, n): n windows of p x p pixels, in grey
# levels. `pull` (P, 2, p, p, n) holds a vector for each slope of Z, down and right, no longer
# than 1; it is 0 where the slope would cross the border.


@njit
def fit_row(
    y: int, data: Array, goal: Array, pull: Array, smooth_cut: float, target_cut: float, out: Array
) -> None:
    """Set row y of Z to the best one for the given P: shrink D - goal - c grad' P to T."""
    side, _, windows = data.shape
    for x in range(side):
        for j in range(windows):
            slope = -pull[0, y, x, j] - pull[1, y, x, j]
            if y > 0:
                slope += pull[0, y - 1, x, j]
            if x > 0:
                slope += pull[1, y, x - 1, j]
            rest = data[y, x, j] - goal[y, x, j] + smooth_cut * slope
            out[y, x, j] = data[y, x, j] - (rest - min(max(rest, -target_cut), target_cut))


@njit(error_model="numpy")
def pull_row(y: int, smooth: Array, pull: Array, step: float) -> None:
    """A projected gradient step of row y of P, given rows y and y + 1 of Z."""
    side, _, windows = smooth.shape
    for x in range(side):
        for j in range(windows):
            down, right = pull[0, y, x, j], pull[1, y, x, j]
            if y < side - 1:
                down += step * (smooth[y + 1, x, j] - smooth[y, x, j])
            if x < side - 1:
                right += step * (smooth[y, x + 1, j] - smooth[y, x, j])
            length = max(np.sqrt(down * down + right * right), np.float32(1))
            pull[0, y, x, j], pull[1, y, x, j] = down / length, right / length


@njit
def fit(
    data: Array,
    goal: Array,
    pull: Array,
    smooth_cut: float,
    target_cut: float,
    steps: int,
    smooth: Array,
) -> None:
    """Set Z towards the minimiser of smooth_cut TV(Z) + target_cut |D - Z|_1 + |Z - goal|^2 / 2.

    Moves P by `steps` gradient steps, then writes to `smooth` the best Z for it.
    """
    side = len(data)
    step = np.float32(1 / (8 * smooth_cut)) if smooth_cut > 0 else np.float32(0)
    for _ in range(steps):
        fit_row(0, data, goal, pull, smooth_cut, target_cut, smooth)
        for y in range(side):
            if y < side - 1:
                fit_row(y + 1, data, goal, pull, smooth_cut, target_cut, smooth)
            pull_row(y, smooth, pull, step)
    for y in range(side):
        fit_row(y, data, goal, pull, smooth_cut, target_cut, smooth)


@dataclass(frozen=True)
class TVPCP(OnDevice):
    card = Card("TV-PCP", "lowrank", "ICV", 2017, "10.1016/j.imavis.2017.04.002", "reconstruction")
    threshold = MeanStd(14.5)

    patch: int = parameter(50, "side of the windows, pixels")
    step: int = parameter(10, "between windows, pixels")
    smoothness: float = parameter(0.005, "lambda_1")
    weight: float = parameter(1.0, "lambda_2 times the root of the patch matrix's longer side")
    penalty: float = parameter(0.008, "of B = Z, per grey level")
    relaxation: float = parameter(1.8, "of a pass, below 2")
    steps: int = parameter(2, "of the multipliers of the slopes, a pass")
    tolerance: float = parameter(1.5e-4, "largest residual, share of |D|, at which the loop stops")
    limit: int = parameter(100, "passes")

    def score(self, image: Image) -> Map:
        grid = Grid.flush(image.shape, self.patch, self.step)
        if image.min() == image.max():
            return np.zeros(image.shape)
        target, _ = self.split(grid.tensor(image))
        return np.maximum(grid.mean(target), 0)

    def split(self, patches: np.ndarray) -> tuple[np.ndarray, int]:
        """The target part of a patch tensor (p, p, n), and the number of passes."""
        side, _, windows = patches.shape
        data = patches.astype(np.float32)
        size = np.linalg.norm(data)
        weight = self.weight / np.sqrt(max(side * side, windows))
        cuts = (np.array([1, self.smoothness, weight]) / self.penalty).astype(np.float32)
        smooth, goal = data, data.copy()
        pull = np.zeros((2, *data.shape), np.float32)
        for passes in count(1):
            low, _ = svt(unfold(2 * smooth - goal, 2), cuts[0], device=self.device)
            gap = fold(low, 2, data.shape) - smooth
            goal += np.float32(self.relaxation) * gap
            before, smooth = smooth, np.empty_like(data)
            fit(data, goal, pull, cuts[1], cuts[2], self.steps, smooth)
            change = smooth - before
            residual = max(np.linalg.norm(change), np.linalg.norm(change - gap))
            if residual < self.tolerance * size or passes == self.limit:
                return (data - smooth).astype(np.float64), passes
