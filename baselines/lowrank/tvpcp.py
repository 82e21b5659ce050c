"""TV-PCP: the background looks alike from patch to patch and is smooth within each.

Every window of the image becomes a column of the patch matrix D. Its background B has
low rank and little total variation TV inside each window; its target T is sparse:

    min |B|_* + lambda_1 TV(Z) + lambda_2 |T|_1   subject to   B = Z,  T = D - Z,

solved by alternating directions with a stretched multiplier step: B, T and the slopes G
of Z are shrunk given Z, then Z is fitted to them, which the cosine transform of a window
makes diagonal. TV is isotropic, with no difference across the border of a window. A
pixel's score is the mean of T over the windows that cover it, where positive.

Wang, Peng, Kong, Zhang & He, "Infrared dim target detection based on total variation
regularization and principal component pursuit", Image and Vision Computing 63, 1-9
(2017).

Reconstruction: of the paper the abstract was reachable. The weights, the penalty and
the stretch are recalled from tables of later papers. Where TV acts, the splitting, the
stop and the border rule are ours. At these weights TV hardly acts. An image of much
detail stops at the limit of passes. The arrays are float32; singular vectors come from
float64.
The paper's threshold was not reachable: k has the best pooled F1 on the first 12 NUAA-SIRST
validation images, `python benchmarks/calibrate.py --methods tvpcp --split val --limit 12`.
"""

from dataclasses import dataclass
from itertools import count

import numpy as np
from scipy.fft import dct

from baselines.lowrank.device import OnDevice
from baselines.lowrank.patches import Grid
from baselines.lowrank.proximal import svt
from istsbench.compiled import njit
from istsbench.segmenter import Card, Image, Map, parameter
from istsbench.threshold import MeanStd

Array = np.ndarray

# Below, `data` (D) and `smooth` (Z) are (p, p, n): n windows of p x p pixels. `parts` is
# (4, p, p, n): B, the slopes G down and right, and T. `duals`, in the same order, are the
# multipliers of B = Z, G = grad Z and T = D - Z over the penalty. All are in grey levels.


@njit
def slopes(smooth: Array, y: int, x: int, down: Array, right: Array) -> None:
    """Set `down` and `right` (n,) to the differences to the next pixels, 0 at the border."""
    side = len(smooth)
    for j in range(len(down)):
        down[j] = smooth[y + 1, x, j] - smooth[y, x, j] if y < side - 1 else 0
        right[j] = smooth[y, x + 1, j] - smooth[y, x, j] if x < side - 1 else 0


@njit(error_model="numpy")
def shrink(
    data: Array, smooth: Array, parts: Array, duals: Array, slope_cut: float, target_cut: float
) -> None:
    """Set G and T given Z: shrink the slopes by their length, the target by its size."""
    side, _, windows = data.shape
    down, right = np.empty((2, windows), data.dtype)
    for y in range(side):
        for x in range(side):
            slopes(smooth, y, x, down, right)
            for j in range(windows):
                a, b = down[j] + duals[1, y, x, j], right[j] + duals[2, y, x, j]
                length = np.sqrt(a * a + b * b)
                share = 1 - slope_cut / length if length > slope_cut else 0
                parts[1, y, x, j], parts[2, y, x, j] = share * a, share * b
                value = data[y, x, j] - smooth[y, x, j] + duals[3, y, x, j]
                parts[3, y, x, j] = value - min(max(value, -target_cut), target_cut)


@njit
def gather(data: Array, parts: Array, duals: Array) -> Array:
    """The right side (p, p, n) of the equation (2 + grad' grad) Z = right side."""
    side, _, windows = data.shape
    goal = np.empty_like(data)
    for y in range(side):
        for x in range(side):
            for j in range(windows):
                value = parts[0, y, x, j] - duals[0, y, x, j]
                value += data[y, x, j] - parts[3, y, x, j] + duals[3, y, x, j]
                # The slopes across the far borders are 0.
                value -= parts[1, y, x, j] - duals[1, y, x, j]
                value -= parts[2, y, x, j] - duals[2, y, x, j]
                if y > 0:
                    value += parts[1, y - 1, x, j] - duals[1, y - 1, x, j]
                if x > 0:
                    value += parts[2, y, x - 1, j] - duals[2, y, x - 1, j]
                goal[y, x, j] = value
    return goal


@njit
def climb(
    data: Array, smooth: Array, parts: Array, duals: Array, stretch: float
) -> tuple[float, float]:
    """Add the stretched residuals to the multipliers; return |Z - B| and |D - Z - T|."""
    side, _, windows = data.shape
    down, right = np.empty((2, windows), data.dtype)
    squares = np.zeros((2, windows))
    for y in range(side):
        for x in range(side):
            slopes(smooth, y, x, down, right)
            for j in range(windows):
                low = smooth[y, x, j] - parts[0, y, x, j]
                rest = data[y, x, j] - smooth[y, x, j] - parts[3, y, x, j]
                duals[0, y, x, j] += stretch * low
                duals[1, y, x, j] += stretch * (down[j] - parts[1, y, x, j])
                duals[2, y, x, j] += stretch * (right[j] - parts[2, y, x, j])
                duals[3, y, x, j] += stretch * rest
                squares[0, j] += low * low
                squares[1, j] += rest * rest
    return np.sqrt(squares[0].sum()), np.sqrt(squares[1].sum())


def transform(tensor: Array, matrix: Array) -> Array:
    """A (p, p) matrix applied along both first axes of a tensor (p, p, n)."""
    return matrix @ (matrix @ tensor.reshape(len(matrix), -1)).reshape(tensor.shape)


def cosines(side: int) -> Array:
    """The orthonormal cosine transform (DCT-II) of `side` values as a matrix, float32."""
    return dct(np.eye(side), axis=0, norm="ortho").astype(np.float32)


@dataclass(frozen=True)
class TVPCP(OnDevice):
    card = Card("TV-PCP", "lowrank", "ICV", 2017, "10.1016/j.imavis.2017.04.002", "reconstruction")
    threshold = MeanStd(14.5)

    patch: int = parameter(50, "side of the windows, pixels")
    step: int = parameter(10, "between windows, pixels")
    smoothness: float = parameter(0.005, "lambda_1")
    weight: float = parameter(1.0, "lambda_2 times the root of the patch matrix's longer side")
    penalty: float = parameter(0.025, "of the constraints, per grey level")
    stretch: float = parameter(1.5, "of the multiplier step, below 1.618")
    tolerance: float = parameter(1e-4, "largest residual, share of |D|, at which the loop stops")
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
        matrix = (side * side, windows)
        cuts = np.array([1, self.smoothness, self.weight / np.sqrt(max(matrix))]) / self.penalty
        cuts, stretch = cuts.astype(np.float32), np.float32(self.stretch)
        wave = cosines(side)
        slope = 2 - 2 * np.cos(np.pi * np.arange(side) / side)
        scale = (2 + slope[:, None] + slope)[..., None].astype(np.float32)
        smooth = data
        parts = np.zeros((4, *data.shape), np.float32)
        duals = np.zeros_like(parts)
        for passes in count(1):
            mixed = (smooth + duals[0]).reshape(matrix)
            parts[0] = svt(mixed, cuts[0], device=self.device)[0].reshape(data.shape)
            shrink(data, smooth, parts, duals, cuts[1], cuts[2])
            before = smooth
            smooth = transform(gather(data, parts, duals), wave)
            smooth /= scale
            smooth = transform(smooth, wave.T)
            residuals = climb(data, smooth, parts, duals, stretch)
            change = np.linalg.norm(smooth - before)
            if max(*residuals, change) < self.tolerance * size or passes == self.limit:
                return parts[3].astype(np.float64), passes
