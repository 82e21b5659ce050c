"""Local structure of an image: eigenvalues of the structure tensor, min-max scaling.

The structure tensor is the local mean of the gradient's outer product. Both eigenvalues
are small in flat regions, one is large on an edge, both on a corner or a small spot.

Foerstner & Guelch, "A fast operator for detection and precise location of distinct
points, corners and centres of circular features", ISPRS Intercommission Conference on
Fast Processing of Photogrammetric Data, 281-305 (1987).
"""

import cv2
import numpy as np


def structure_eigenvalues(
    image: np.ndarray, before: float, window: float, size: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Return the larger and the smaller eigenvalue of the structure tensor at every pixel.

    `image` is (H, W), `before` the sigma in pixels of the Gaussian that smooths it,
    `window` that of the local mean, `size` the side of both kernels, pixels, odd. Borders
    are mirrored, the edge pixel repeated. The unit is grey levels squared. The smaller one
    can be a rounding error below zero.
    """

    def smooth(field: np.ndarray, sigma: float) -> np.ndarray:
        kernel = cv2.getGaussianKernel(size, sigma)
        return cv2.sepFilter2D(field, cv2.CV_64F, kernel, kernel, borderType=cv2.BORDER_REFLECT)

    smoothed = smooth(image, before)
    down, right = derivative(smoothed, 0), derivative(smoothed, 1)
    across = smooth(right * right, window)
    mixed = smooth(right * down, window)
    along = smooth(down * down, window)
    spread = np.sqrt((across - along) ** 2 + 4 * mixed**2)
    return (across + along + spread) / 2, (across + along - spread) / 2


def derivative(field: np.ndarray, axis: int) -> np.ndarray:
    """Central differences along an axis, one-sided at its two ends; 0 where it has length 1."""
    if field.shape[axis] == 1:
        return np.zeros_like(field)
    return np.gradient(field, axis=axis)


def scale_to_unit(field: np.ndarray) -> np.ndarray:
    """Scale linearly so that the smallest value becomes 0 and the largest 1.

    NaN and infinite entries take no part in the range; NaN stays, infinities are cut to 0
    or 1. A field without range is cut to 0..1 instead (as MATLAB's `mat2gray`).
    """
    finite = field[np.isfinite(field)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    if low == high:
        return np.clip(field, 0, 1)
    return np.clip((field - low) / (high - low), 0, 1)


def corner_prior(image: np.ndarray) -> np.ndarray:
    """How corner-like each pixel of an image (H, W) is, 0..1; NaN where it is flat.

    The prior of PSTNN and its successors: both eigenvalues large, after light smoothing.
    """
    large, small = structure_eigenvalues(image, before=2, window=9)
    with np.errstate(invalid="ignore", divide="ignore"):
        return scale_to_unit(large * small / (large + small) * large)
