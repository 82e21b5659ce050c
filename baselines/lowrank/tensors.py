"""Unfoldings of tensors, by tensorly: what RIPT and TV-PCP shrink the singular values of.

Nothing else of it is taken: its `truncated_svd` and `svd_thresholding` compute a whole SVD,
several times as long as the Gram matrix in `proximal`, and know no partial sum of singular
values; its `soft_thresholding` takes 1.4 times as long, and SMSL with it a fifth longer. The
other tensor methods shrink Fourier slices, which it does not have.

tensorly is imported at the first call, a third of a second, and works on NumPy arrays here
whatever backend the rest of the process or TENSORLY_BACKEND has chosen.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def _with_numpy() -> Iterator[Any]:
    import tensorly

    with tensorly.backend_context("numpy", local_threadsafe=True):
        yield tensorly


def unfold(tensor: np.ndarray, mode: int) -> np.ndarray:
    """The matrix (shape[mode], all others) of a tensor's fibres along axis `mode`."""
    with _with_numpy() as tensorly:
        return np.asarray(tensorly.unfold(tensor, mode))


def fold(matrix: np.ndarray, mode: int, shape: tuple[int, ...]) -> np.ndarray:
    """The tensor of that shape whose `unfold` along axis `mode` is the matrix."""
    with _with_numpy() as tensorly:
        return np.asarray(tensorly.fold(matrix, mode, shape))
