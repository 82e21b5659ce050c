"""Proximal steps that the low-rank methods share: shrinking entries and singular values.

Singular values are taken from the smaller Gram matrix, several times faster than an SVD
of a long patch matrix. Squaring costs accuracy below about 1e-8 of the largest singular
value; what a threshold keeps lies above that.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import eigh, eigvalsh

Spectrum = tuple[np.ndarray, np.ndarray]  # singular values, descending, and their vectors


def soft_threshold(values: np.ndarray, threshold: float | np.ndarray) -> np.ndarray:
    """sign(x) max(|x| - t, 0): the minimiser of t |z| + (z - x)^2 / 2, entry by entry."""
    return values - np.clip(values, -threshold, threshold)


def nonnegative_soft_threshold(values: np.ndarray, threshold: float | np.ndarray) -> np.ndarray:
    """max(x - t, 0): the minimiser of t z + (z - x)^2 / 2 over z >= 0, entry by entry.

    It is 0 where the threshold is NaN (a weight 0/0 in a flat region) or infinite.
    """
    with np.errstate(invalid="ignore"):
        return np.fmax(values - threshold, 0)


def singular_values(matrix: np.ndarray) -> np.ndarray:
    """The singular values of a real matrix (m, n), descending, min(m, n) of them."""
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    squares = eigvalsh(tall.T @ tall, check_finite=False)[::-1]
    return np.sqrt(np.maximum(squares, 0))


def spectrum(matrix: np.ndarray, device: str = "cpu") -> Spectrum:
    """The singular values of a real matrix (m, n), descending, and its singular vectors.

    Of k = min(m, n) vectors of length k, the columns of the second array (k, k), float64: the
    right ones where m >= n, else the left ones. A `device` other than "cpu", as PyTorch names
    it, does the work there.
    """
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    if device != "cpu":
        from baselines.lowrank.device import gram_eigen

        return gram_eigen(tall, device)
    tall = np.asarray(tall, np.float64)
    squares, vectors = eigh(tall.T @ tall, driver="evd", overwrite_a=True, check_finite=False)
    return np.sqrt(np.maximum(squares[::-1], 0)), vectors[:, ::-1]


def leading_spectrum(matrix: np.ndarray, floor: float) -> Spectrum:
    """The `spectrum` of a real matrix (m, n) without singular values up to `floor`, k of them.

    The vectors are (min(m, n), k). Faster than all where k is an eighth of them or less.
    """
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    tall = np.asarray(tall, np.float64)
    squares, vectors = eigh(
        tall.T @ tall, subset_by_value=(floor**2, np.inf), overwrite_a=True, check_finite=False
    )
    return np.sqrt(squares[::-1]), vectors[:, ::-1]


def shrink_singular_values(
    matrix: np.ndarray,
    rule: Callable[[np.ndarray], np.ndarray],
    known: Spectrum | None = None,
    device: str = "cpu",
) -> tuple[np.ndarray, np.ndarray]:
    """U diag(rule(s)) V^T of a real matrix U diag(s) V^T of shape (m, n).

    `rule` maps the descending singular values to as many, none negative, and 0 to 0.
    `known` is the matrix's `spectrum`, where the caller has it; `device` as there. Returns
    the matrix (m, n) in its own type, whose singular vectors come from float64 all the same,
    and the shrunk singular values, in the order of s.
    """
    if matrix.shape[0] < matrix.shape[1]:
        shrunk, kept = shrink_singular_values(matrix.T, rule, known, device)
        return shrunk.T, kept
    if device != "cpu" and known is None:
        from baselines.lowrank.device import shrink

        return shrink(matrix, rule, device)
    values, vectors = spectrum(matrix) if known is None else known
    kept = rule(values)
    alive = (kept > 0) & (values > 0)
    basis = (vectors[:, alive] * np.sqrt(kept[alive] / values[alive])).astype(matrix.dtype)
    if 2 * basis.shape[1] > basis.shape[0]:  # then the square product first is cheaper
        return matrix @ (basis @ basis.T), kept
    return (matrix @ basis) @ basis.T, kept


def svt(
    matrix: np.ndarray,
    threshold: float,
    keep: int = 0,
    known: Spectrum | None = None,
    device: str = "cpu",
) -> tuple[np.ndarray, np.ndarray]:
    """Singular value thresholding: the minimiser of t |Z|_* + |Z - X|_F^2 / 2.

    The `keep` largest singular values are left as they are (partial sum of singular
    values). Returns the matrix (m, n) and its singular values; `known` and `device` as above.
    """

    def rule(values: np.ndarray) -> np.ndarray:
        shrunk = np.maximum(values - threshold, 0)
        shrunk[:keep] = values[:keep]
        return shrunk

    return shrink_singular_values(matrix, rule, known, device)
