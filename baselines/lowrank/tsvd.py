"""Singular values of tensors in the Fourier domain (t-SVD), and a rank from their ratio.

The t-SVD of a tensor is the SVD of each of its frontal slices after an FFT along the
third axis. Proximal operators of tensor nuclear norms and their kin therefore all
have one form: transform, change the singular values, transform back. Forward FFT
without factor, inverse with 1/n3: thresholds act on the unnormalised values. The input
is real, so half of the spectrum (`rfft`) determines the result.

Kilmer & Martin, "Factorization strategies for third-order tensors", Linear Algebra and
its Applications 435(3), 641-658 (2011), 10.1016/j.laa.2010.09.020.
"""

from collections.abc import Callable

import numpy as np


def shrink_slices(
    tensor: np.ndarray, rule: Callable[[np.ndarray], np.ndarray], axis: int = 2
) -> np.ndarray:
    """Change the singular values of all Fourier slices of a real 3-way tensor.

    `rule` maps singular values, (slices, values) in descending order, to new ones of the
    same shape, not negative; slice k belongs to frequency k of `np.fft.rfft` along `axis`.
    A rule must send values that are 0 to 0 or tiny ones of rounding: their singular
    vectors are arbitrary.

    Returns a tensor of the same shape, float64, in the unit of the input.
    """
    slices = np.moveaxis(np.fft.rfft(tensor, axis=axis), axis, 0)
    shrunk = np.moveaxis(shrink_values(slices, rule), 0, axis)
    return np.fft.irfft(shrunk, n=tensor.shape[axis], axis=axis)


def shrink_values(
    matrices: np.ndarray, rule: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Change the singular values of matrices (..., m, n), real or complex.

    `rule` as in `shrink_slices`, on values (..., min(m, n)). The left singular vectors come
    from the eigenvectors of A A^H on the shorter side, which halves the time of an SVD;
    values below 1e-8 of the largest are rounding, far below any threshold in use.
    """
    if matrices.shape[-2] > matrices.shape[-1]:
        return shrink_values(matrices.swapaxes(-1, -2), rule).swapaxes(-1, -2)
    squares, vectors = np.linalg.eigh(matrices @ matrices.conj().swapaxes(-1, -2))
    values = np.sqrt(np.maximum(squares, 0))
    shrunk = rule(values[..., ::-1])[..., ::-1]
    used = int(np.count_nonzero(shrunk.any(axis=tuple(range(shrunk.ndim - 1)))))
    if used == 0:
        return np.zeros_like(matrices)
    values, shrunk, vectors = values[..., -used:], shrunk[..., -used:], vectors[..., -used:]
    gain = np.divide(shrunk, values, out=np.zeros_like(values), where=values > 0)
    return (vectors * gain[..., None, :]) @ (vectors.conj().swapaxes(-1, -2) @ matrices)


def rank_by_ratio(tensor: np.ndarray, ratio: float = 0.1) -> int:
    """The number of singular values before the first below `ratio` times the largest, >= 1.

    Those of the matrix itself for a matrix (2-way). For a tensor (n1, n2, n3) those of an
    n3 x n1 n2 matrix refilled with its entries, both in column-major order (first index
    fastest). That is no unfolding, but it is what the public codes of PSTNN and its
    successors compute. They fail where no value is below the limit: here all count.
    """
    if tensor.ndim == 3:
        tensor = tensor.reshape(-1, order="F").reshape((tensor.shape[2], -1), order="F")
    if tensor.shape[0] > tensor.shape[1]:
        tensor = tensor.T
    values = np.sqrt(np.maximum(np.linalg.eigvalsh(tensor @ tensor.T)[::-1], 0))
    below = values < ratio * values[0]
    first = int(np.argmax(below)) if below.any() else len(values)
    return max(first, 1)
