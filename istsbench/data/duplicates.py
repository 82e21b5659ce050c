"""Pictures that show the same scene, found by small thumbnails.

A thumbnail is the picture shrunk to 16x16 by area, less its mean, at unit length; the
product of two is the correlation of the shrunk pictures. It does not change with gain,
offset or size, and it sees no small target: two frames of one scene look alike.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

_SIDE = 16  # pixels of a thumbnail's side
ALIKE = 0.98  # correlation above which two pictures count as the same scene
BLOCK = 1024  # thumbnails compared at once; bounds the memory to BLOCK x BLOCK correlations


def thumbnail(grey: np.ndarray) -> np.ndarray:
    """float32 (256,) of grey levels (H, W) of any type; all zero if it shows nothing."""
    if grey.dtype != np.uint8:  # as deep levels may be a small part of a large scale
        low, high = float(grey.min()), float(grey.max())
        grey = (grey - low) / (high - low) * 255 if high > low else np.zeros(grey.shape)
    picture = Image.fromarray(np.asarray(grey, dtype=np.float32))
    small = picture.resize((_SIDE, _SIDE), Image.Resampling.BOX)
    pixels = np.asarray(small, dtype=np.float64).ravel()
    pixels = pixels - pixels.mean()
    length = np.linalg.norm(pixels)
    if length < 0.01:
        return np.zeros(_SIDE * _SIDE, dtype=np.float32)
    return np.asarray(pixels / length, dtype=np.float32)


def nearest(these: np.ndarray, those: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each thumbnail of (n, 256) the most similar of (m, 256), m > 0: index and
    correlation, both (n,)."""
    index = np.zeros(len(these), dtype=int)
    best = np.full(len(these), -np.inf, dtype=np.float32)
    for top in range(0, len(these), BLOCK):
        rows = slice(top, top + BLOCK)
        for left in range(0, len(those), BLOCK):
            alike = these[rows] @ those[left : left + BLOCK].T
            first = alike.argmax(axis=1)
            value = np.take_along_axis(alike, first[:, None], axis=1)[:, 0]
            better = value > best[rows]
            index[rows] = np.where(better, first + left, index[rows])
            best[rows] = np.maximum(value, best[rows])
    return index, np.minimum(best, 1)
