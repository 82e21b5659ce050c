"""Singular values on another device than the CPU, by PyTorch.

For the patch matrices of IPI, NIPPS, TV-PCP and RIPT, some hundred columns of float64, whose
eigendecomposition is most of their time. The tensors of PSTNN and its kin have Fourier
slices of 40x40, for which a GPU is no faster than one core.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from istsbench.segmenter import Segmenter, parameter

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class OnDevice(Segmenter):
    """A method whose singular values can be had on another device, in the same float64.

    Raises `ValueError` if the device is not there.
    """

    device: str = parameter("cpu", 'of the singular values: "cuda", ...', compare=False)

    def computes_on(self) -> str:
        return self.device

    def __post_init__(self) -> None:
        if self.device == "cpu":
            return
        try:
            _send(np.zeros(1), self.device)
        except (RuntimeError, AssertionError, TypeError) as error:  # by torch's build and device
            reason = str(error).partition("\n")[0]
            raise ValueError(f"device={self.device!r} cannot be used here: {reason}") from error


def _send(matrix: np.ndarray, device: str) -> Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(matrix)).to(device)


def _eigen(tall: Tensor) -> tuple[Tensor, Tensor]:
    import torch

    tall = tall.double()
    squares, vectors = torch.linalg.eigh(tall.T @ tall)
    return squares.clamp(min=0).sqrt().flip(0), vectors.flip(1)


def gram_eigen(tall: np.ndarray, device: str) -> tuple[np.ndarray, np.ndarray]:
    """As `spectrum` of a matrix (m, n), m >= n."""
    values, vectors = _eigen(_send(tall, device))
    return values.cpu().numpy(), vectors.cpu().numpy()


def shrink(
    tall: np.ndarray, rule: Callable[[np.ndarray], np.ndarray], device: str
) -> tuple[np.ndarray, np.ndarray]:
    """As `shrink_singular_values` of a matrix (m, n), m >= n; only `rule` stays here."""
    matrix = _send(tall, device)
    values, vectors = _eigen(matrix)
    listed = values.cpu().numpy()
    kept = rule(listed)
    gain = np.divide(kept, listed, out=np.zeros_like(listed), where=listed > 0)
    basis = (vectors * _send(np.sqrt(gain), device)).to(matrix.dtype)
    return ((matrix @ basis) @ basis.T).cpu().numpy(), kept
