"""ECA-STT: edge and corner awareness in a (spatial-temporal) tensor model, one frame.

The image D is background B plus target T plus Gaussian noise N. The background has low
rank, its largest singular values are spared, and a small non-local total variation |J B|_1;
the target is sparse, and dear where the structure tensor finds no edge and no corner:

    min sum_{i>r} sigma_i(B) + lambda1 |J B|_1 + lambda2 |W . T|_1 + lambda3 |N|_F^2
    s.t. D = B + T + N, T >= 0,  W = W_e / (T + 0.01)

Zhang, Zhang, Wang, Shen, Pu & Fei, "Edge and Corner Awareness-Based Spatial-Temporal Tensor
Model for Infrared Small-Target Detection", IEEE Transactions on Geoscience and Remote
Sensing 59(12) (2021), https://ieeexplore.ieee.org/document/9279305.

Equal, in map and number of passes, to the faster of the two solvers in the authors' public
code (ELOESZHANG/ECA-STT-for-IR-small-target-detection, PSVT) on a single frame, its branch
for images. Their other solver adds singular vectors of vanished singular values, which
depend on the rounding of the linear algebra library.
Departs: J holds the gradients at a pixel and at its most similar neighbours, weighted by
exp(-16 d) for a patch distance d in squared grey levels. Whole grey levels have d = 0 or
d >= 1, so that only identical patches count, by 1; the others, by 1e-7 at most, are left
out. The gradient at a pixel then just counts as often as the pixel is chosen.
The paper's threshold was not reachable: k has the best pooled F1 on the 341 NUAA-SIRST
training and validation images, `python benchmarks/calibrate.py --methods ecastt`.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from baselines.lowrank.proximal import nonnegative_soft_threshold, soft_threshold, svt
from baselines.lowrank.structure import structure_eigenvalues
from baselines.lowrank.tsvd import rank_by_ratio
from istsbench.compiled import njit
from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import MeanStd


def gradient(field: np.ndarray) -> np.ndarray:
    """Forward differences down and across, (2, H, W); 0 in the last row and column."""
    slope = np.zeros((2, *field.shape))
    np.subtract(field[1:], field[:-1], out=slope[0, :-1])
    np.subtract(field[:, 1:], field[:, :-1], out=slope[1, :, :-1])
    return slope


def gradient_adjoint(slope: np.ndarray) -> np.ndarray:
    """The adjoint of `gradient`: (2, H, W) to (H, W)."""
    field = np.zeros(slope.shape[1:])
    field[:-1] -= slope[0, :-1]
    field[1:] += slope[0, :-1]
    field[:, :-1] -= slope[1, :, :-1]
    field[:, 1:] += slope[1, :, :-1]
    return field


def times_chosen(image: Image, neighbours: int, reach: int, patch: int) -> np.ndarray:
    """How often each pixel is chosen, by itself and as a neighbour of others; (H, W).

    Every pixel chooses itself and the first `neighbours` pixels, by rows, of those up to
    `reach` rows and columns away that have an identical patch of side `patch` (pixels)
    around them. Outside the border the image is mirrored, the edge pixel repeated.
    """
    height, width = image.shape
    padded = np.pad(image, reach, mode="symmetric")
    indices = np.pad(np.arange(image.size).reshape(image.shape), reach, mode="symmetric")
    window = np.ones((patch, patch), np.uint8)
    free = np.full(image.shape, neighbours)
    times = np.ones(image.size)
    for y in range(2 * reach + 1):
        for x in range(2 * reach + 1):
            if y == x == reach:
                continue
            part = np.s_[y : y + height, x : x + width]
            same = (image == padded[part]).astype(np.uint8)
            same = cv2.erode(same, window, borderType=cv2.BORDER_REFLECT).astype(bool)
            same &= free > 0
            free -= same
            times += np.bincount(indices[part][same], minlength=image.size)
    return times.reshape(image.shape)


@njit
def _apply(field: np.ndarray, times: np.ndarray, out: np.ndarray) -> None:
    """Write (J^T J + 2) field to `out`, all (H, W): 2 field + gradient^T times gradient field."""
    height, width = field.shape
    for y in range(height):
        for x in range(width):
            total = 2 * field[y, x]
            if y > 0:
                total += times[y - 1, x] * (field[y, x] - field[y - 1, x])
            if x > 0:
                total += times[y, x - 1] * (field[y, x] - field[y, x - 1])
            if y < height - 1:
                total -= times[y, x] * (field[y + 1, x] - field[y, x])
            if x < width - 1:
                total -= times[y, x] * (field[y, x + 1] - field[y, x])
            out[y, x] = total


def conjugate_gradients(
    right: np.ndarray, start: np.ndarray, times: np.ndarray, limit: int = 10, stop: float = 1e-4
) -> np.ndarray:
    """Solve (J^T J + 2) B = right from `start`; all (H, W).

    Ends after `limit` steps, or with a squared norm of the residual of at most `stop` (both
    as the public code; grey levels squared).
    """
    solution, image = start.copy(), np.empty_like(start)
    _apply(solution, times, image)
    residual = right - image
    direction, square = residual.copy(), np.vdot(residual, residual)
    for _ in range(limit):
        if square <= stop:
            break
        _apply(direction, times, image)
        step = square / np.vdot(direction, image)
        solution += step * direction
        image *= step
        residual -= image
        square, before = np.vdot(residual, residual), square
        direction *= square / before
        direction += residual
    return solution


@dataclass(frozen=True)
class ECASTT(Segmenter):
    card = Card(
        "ECA-STT",
        "lowrank",
        "TGRS",
        2020,
        "https://ieeexplore.ieee.org/document/9279305",
        "reference-checked",
    )
    threshold = MeanStd(16.5)

    smoothness: float = parameter(0.009, "lambda1 (code)")
    sparsity: float = parameter(5.0, "L: lambda2 = L / sqrt(shorter side) (code)")
    noise: float = parameter(100.0, "lambda3 (code)")
    beta: float = parameter(0.1, "weight of the corner over the edge indicator (code)")
    ratio: float = parameter(
        0.1, "singular values from this share of the largest on are spared (code)"
    )
    penalty: float = parameter(1e-3, "mu at the start, per grey level (code)")
    growth: float = parameter(1.5, "of mu in each pass (code)")
    tolerance: float = parameter(1e-7, "of |D - B - T - N| / |D| (code)")
    neighbours: int = parameter(8, "similar pixels in J; 0: ordinary total variation (code)")
    reach: int = parameter(5, "rows and columns to a neighbour, pixels (code)")
    side: int = parameter(7, "of the patches compared, pixels (code)")
    limit: int = parameter(100, "passes")

    def score(self, image: Image) -> Map:
        if image.min() == image.max():
            return np.zeros(image.shape)
        return self.split(image)[0]

    def split(self, image: Image) -> tuple[np.ndarray, int]:
        """The target part of an image (H, W), and the number of passes."""
        large, small = structure_eigenvalues(image, before=2, window=9)
        with np.errstate(divide="ignore", invalid="ignore"):
            corner, edge = (large + small) / (large * small), 1 / (large - small)
            share = self.beta**2
            prior = (1 + share) * corner * edge / (share * corner + edge)
        times = times_chosen(image, self.neighbours, self.reach, self.side)
        weight = self.sparsity / np.sqrt(min(image.shape))
        rank = rank_by_ratio(image, self.ratio)
        size = np.linalg.norm(image)

        # Multipliers are stored divided by mu: Y1 of Z = B, Y2 of L = J B, Y3 of D = B + T + N.
        mu, D, B, W = self.penalty, image, image, prior
        T, N, Y1, Y3 = (np.zeros_like(image) for _ in range(4))
        slope = gradient(B)
        Y2 = np.zeros_like(slope)
        for iteration in range(1, self.limit + 1):
            Z, _ = svt(B - Y1, 1 / mu, keep=rank)
            L = soft_threshold(slope - Y2, self.smoothness / mu)
            right = Y1 + Y3 + Z + D - T - N + gradient_adjoint(times * (Y2 + L))
            B = conjugate_gradients(right, B, times)
            slope = gradient(B)
            T = nonnegative_soft_threshold(D - B - N + Y3, W * (weight / mu))
            W = prior / (T + 0.01)
            N = (D - B - T + Y3) * (mu / (mu + 2 * self.noise))
            residual = D - B - T - N
            if np.linalg.norm(residual) < self.tolerance * size:
                return T, iteration
            Y1 = (Y1 + Z - B) / self.growth
            Y2 = (Y2 + L - slope) / self.growth
            Y3 = (Y3 + residual) / self.growth
            mu *= self.growth
        return T, self.limit
