"""Proximal steps that the low-rank methods share: shrinking entries and singular values.

Singular values are taken from the smaller Gram matrix, several times faster than an SVD
of a long patch matrix. Squaring costs accuracy below about 1e-8 of the largest singular
value; what a threshold keeps lies above that.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import eigh, eigvalsh


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


def shrink_singular_values(
    matrix: np.ndarray, rule: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """U diag(rule(s)) V^T of a real matrix U diag(s) V^T of shape (m, n).

    `rule` maps the descending singular values to as many, none negative, and 0 to 0.
    Returns the matrix (m, n) and the shrunk singular values, in the order of s.
    """
    if matrix.shape[0] < matrix.shape[1]:
        shrunk, kept = shrink_singular_values(matrix.T, rule)
        return shrunk.T, kept
    squares, vectors = eigh(matrix.T @ matrix, driver="evd", overwrite_a=True, check_finite=False)
    values = np.sqrt(np.maximum(squares[::-1], 0))
    kept = rule(values)
    alive = (kept > 0) & (values > 0)
    basis = vectors[:, ::-1][:, alive]
    scaled = basis * (kept[alive] / values[alive])
    if 2 * basis.shape[1] > basis.shape[0]:  # then one square product more is cheaper
        return matrix @ (scaled @ basis.T), kept
    return (matrix @ scaled) @ basis.T, kept


def svt(matrix: np.ndarray, threshold: float, keep: int = 0) -> tuple[np.ndarray, int]:
    """Singular value thresholding: the minimiser of t |Z|_* + |Z - X|_F^2 / 2.

    The `keep` largest singular values are left as they are (partial sum of singular
    values). Returns the matrix (m, n) and its rank.
    """

    def rule(values: np.ndarray) -> np.ndarray:
        shrunk = np.maximum(values - threshold, 0)
        shrunk[:keep] = values[:keep]
        return shrunk

    shrunk, kept = shrink_singular_values(matrix, rule)
    return shrunk, int(np.count_nonzero(kept))
