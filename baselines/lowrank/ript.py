"""RIPT: reweighted infrared patch-tensor model.

Overlapping patches are stacked to a third-order tensor whose background part has low
rank in all three unfoldings; the target part is sparse. Two weights are multiplied into
the l1 norm: one from the structure tensor that makes edges dear, and 1/(|T| + 0.01),
renewed in each iteration, that makes what was found cheap:

    min sum_i |B_(i)|_* + lambda |W . T|_1   s.t.  F = B + T, T >= 0

Dai & Wu, "Reweighted Infrared Patch-Tensor Model With Both Nonlocal and Local Priors for
Single-Frame Small Target Detection", IEEE JSTARS 10(8), 3752-3767 (2017),
10.1109/JSTARS.2017.2700023.

Formulas and constants are those of the authors' code (YimianDai/DENTIST), to whose float
map the map is equal. That code keeps two ways to put patches back; the mean is its later
correction. Departs: at most 100 iterations (the code has no limit and needs 4 to 12).
The paper's threshold was not reachable: k has the best pooled F1 on the 341 NUAA-SIRST
training and validation images, `python benchmarks/calibrate.py --methods ript`.
"""

from dataclasses import dataclass

import numpy as np

from baselines.lowrank.device import OnDevice
from baselines.lowrank.patches import Grid
from baselines.lowrank.proximal import nonnegative_soft_threshold, svt
from baselines.lowrank.structure import scale_to_unit, structure_eigenvalues
from baselines.lowrank.tensors import fold, unfold
from istsbench.segmenter import Card, Image, Map, parameter
from istsbench.threshold import MeanStd


@dataclass(frozen=True)
class RIPT(OnDevice):
    card = Card(
        "RIPT", "lowrank", "JSTARS", 2017, "10.1109/JSTARS.2017.2700023", "reference-checked"
    )
    threshold = MeanStd(19)

    patch: int = parameter(30, "pixels")
    step: int = parameter(10, "pixels")
    sparsity: float = parameter(0.7, "L: lambda = L / sqrt(shortest side of the tensor)")
    edges: float = parameter(1.0, "h: how dear edges are, exponent")
    start: float = parameter(5.0, "mu at the start, in standard deviations of the tensor")
    decay: float = parameter(1.5, "mu is divided by it in each iteration")
    tolerance: float = parameter(1e-7, "of |F - B - T| / |F|")
    iterations: int = parameter(100, "at most")
    merge: str = parameter("mean", 'of overlapping patches: "mean" or "last"')

    def score(self, image: Image) -> Map:
        if image.min() == image.max():
            return np.zeros_like(image)
        large, small = structure_eigenvalues(image, before=1.2, window=2)
        edge = np.exp(self.edges * scale_to_unit(large - small))
        grid = Grid.flush(image.shape, self.patch, self.step)
        target, _ = self.split(grid.tensor(image), grid.tensor(edge))
        return getattr(grid, self.merge)(target)

    def split(self, data: np.ndarray, edge: np.ndarray) -> tuple[np.ndarray, int]:
        """The target part of a patch tensor (p, p, n), and the number of iterations."""
        weight = self.sparsity / np.sqrt(min(data.shape))
        mu = self.start * data.std(ddof=1)
        size = np.linalg.norm(data)
        target, reweight, count = np.zeros_like(data), edge, data.size
        duals = [np.zeros_like(data) for _ in range(3)]  # times mu

        for iteration in range(1, self.iterations + 1):
            rest = data - target
            parts = [
                _svt_along(rest + dual, mu, axis, self.device) for axis, dual in enumerate(duals)
            ]
            background = (parts[0] + parts[1] + parts[2]) / 3
            shift = (duals[0] + duals[1] + duals[2]) / 3 - background
            target = nonnegative_soft_threshold(data + shift, reweight * (mu * weight / 3))
            reweight = edge / (target + 0.01)
            rest = data - target
            before, count = count, np.count_nonzero(target)
            if count == before or np.linalg.norm(rest - background) < self.tolerance * size:
                return target, iteration
            for dual, part in zip(duals, parts, strict=True):
                dual += rest
                dual -= part
                dual /= self.decay
            mu /= self.decay
        return target, self.iterations


def _svt_along(tensor: np.ndarray, threshold: float, axis: int, device: str) -> np.ndarray:
    """Singular value thresholding of one unfolding of a tensor, as a tensor."""
    shrunk, _ = svt(unfold(tensor, axis), threshold, device=device)
    return fold(shrunk, axis, tensor.shape)
