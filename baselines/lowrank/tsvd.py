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

from baselines.lowrank.proximal import singular_values


def shrink_slices(
    tensor: np.ndarray, rule: Callable[[np.ndarray], np.ndarray], axis: int = 2
) -> np.ndarray:
    """Change the singular values of all Fourier slices of a real 3-way tensor.

    `rule` maps singular values (slices, values), descending in each slice, to as many, none
    negative, and 0 to 0; slice k belongs to frequency k of `np.fft.rfft` along `axis`.
    Returns a tensor of the same shape, float64, in the unit of the input.
    """
    slices = np.moveaxis(np.fft.rfft(tensor, axis=axis), axis, 0)
    shrunk = np.moveaxis(_shrink(np.ascontiguousarray(slices), rule), 0, axis)
    return np.fft.irfft(shrunk, n=tensor.shape[axis], axis=axis)


def _shrink(matrices: np.ndarray, rule: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Change the singular values of complex matrices (k, m, n) by a rule on (k, min(m, n)).

    Left singular vectors are the eigenvectors of A A^H, taken on the shorter side, in about
    half the time of an SVD. Values below 1e-8 of the largest are rounding.
    """
    if matrices.shape[1] > matrices.shape[2]:
        return _shrink(np.ascontiguousarray(matrices.swapaxes(1, 2)), rule).swapaxes(1, 2)
    squares, vectors = np.linalg.eigh(matrices @ matrices.conj().swapaxes(1, 2))
    values = np.sqrt(np.maximum(squares, 0))
    shrunk = rule(values[:, ::-1])[:, ::-1]
    used = shrunk.any(axis=0)
    values, shrunk, vectors = values[:, used], shrunk[:, used], vectors[:, :, used]
    gain = np.divide(shrunk, values, out=np.zeros_like(values), where=values > 0)
    return (vectors * gain[:, None, :]) @ (vectors.conj().swapaxes(1, 2) @ matrices)


def rank_by_ratio(tensor: np.ndarray, ratio: float = 0.1) -> int:
    """The number of singular values before the first below `ratio` times the largest, >= 1.

    Those of the matrix itself for a matrix (2-way). For a tensor (n1, n2, n3) those of an
    n3 x n1 n2 matrix refilled with its entries, both in column-major order (first index
    fastest). That is no unfolding, but it is what the public codes of PSTNN and its
    successors compute. They fail where no value is below the limit: here all count.
    """
    if tensor.ndim == 3:
        tensor = tensor.reshape((tensor.shape[2], -1), order="F")
    values = singular_values(tensor)
    below = values < ratio * values[0]
    first = int(np.argmax(below)) if below.any() else len(values)
    return max(first, 1)
