"""Image <-> patches: the windows that low-rank methods cut, and ways to put them back.

A `Grid` says where the windows lie. It cuts an image into a patch tensor (p, p, n) or
the patch matrix (p * p, n), its columns the same windows, and turns either back into an
image by the mean, the median or the last of the entries that cover a pixel. Windows are
ordered by column position first (outer), row position second (inner): the order counts
for transforms along the third axis and for "the last one wins", for nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np


def _covering(starts: np.ndarray, patch: int, length: int) -> np.ndarray:
    """Indices of the windows over each position, int (length, depth), -1 where there is none."""
    last = np.searchsorted(starts, np.arange(length), side="right") - 1
    first = np.searchsorted(starts, np.arange(length) - patch, side="right")
    index = first[:, None] + np.arange(max(1, int((last - first).max()) + 1))
    return np.where(index <= last[:, None], index, -1)


@dataclass(frozen=True)
class Grid:
    """Square windows of side `patch` (pixels) at every pair of row and column positions.

    `rows` and `columns` are the rising positions of the upper left corners in an image of
    `shape` (H, W).
    """

    shape: tuple[int, int]
    patch: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]

    @classmethod
    def inside(cls, shape: tuple[int, int], patch: int, step: int) -> Self:
        """Corners 0, step, 2 step, ...: up to step - 1 pixels at the far borders stay bare.

        A window larger than the image is cut to the image's shorter side, the step to that.
        """
        patch = min(patch, *shape)
        step = min(step, patch)
        rows, columns = (tuple(range(0, length - patch + 1, step)) for length in shape)
        return cls(shape, patch, rows, columns)

    @classmethod
    def flush(cls, shape: tuple[int, int], patch: int, step: int) -> Self:
        """As `inside`, with a last window flush with the far border: every pixel is covered."""
        patch = min(patch, *shape)
        step = min(step, patch)
        rows, columns = ((*range(0, length - patch, step), length - patch) for length in shape)
        return cls(shape, patch, rows, columns)

    def __len__(self) -> int:
        """The number of windows, n."""
        return len(self.rows) * len(self.columns)

    def tensor(self, image: np.ndarray) -> np.ndarray:
        """The patch tensor (p, p, n) of an image (H, W), C-contiguous."""
        windows = np.lib.stride_tricks.sliding_window_view(image, (self.patch, self.patch))
        chosen = windows[np.ix_(self.rows, self.columns)]  # (rows, columns, p, p)
        return chosen.transpose(2, 3, 1, 0).reshape(self.patch, self.patch, len(self))

    def matrix(self, image: np.ndarray) -> np.ndarray:
        """The patch matrix (p * p, n) of an image (H, W), C-contiguous, a window a column."""
        return self.tensor(image).reshape(-1, len(self))

    def _by_window(self, patches: np.ndarray) -> np.ndarray:
        """A patch tensor or matrix as (columns, rows, p, p), C-contiguous."""
        side = self.patch
        stack = patches.reshape(side * side, len(self)).T
        shape = (len(self.columns), len(self.rows), side, side)
        return np.ascontiguousarray(stack).reshape(shape)

    def mean(self, patches: np.ndarray) -> np.ndarray:
        """The mean of the entries over each pixel, (H, W); 0 where no window lies.

        `patches` is a patch tensor (p, p, n) or matrix (p * p, n).
        """
        side = self.patch
        total = np.zeros(self.shape)
        for column, strip in zip(self.columns, self._by_window(patches), strict=True):
            for row, window in zip(self.rows, strip, strict=True):
                total[row : row + side, column : column + side] += window
        down = (_covering(np.array(self.rows), side, self.shape[0]) >= 0).sum(axis=1)
        across = (_covering(np.array(self.columns), side, self.shape[1]) >= 0).sum(axis=1)
        return total / np.maximum(np.outer(down, across), 1)

    def median(self, patches: np.ndarray) -> np.ndarray:
        """The median of the entries over each pixel, (H, W); 0 where no window lies.

        `patches` is a patch tensor (p, p, n) or matrix (p * p, n), without NaN.
        """
        windows = self._by_window(patches)
        rows, columns = np.array(self.rows), np.array(self.columns)
        height, width = self.shape
        down = _covering(rows, self.patch, height)
        across = _covering(columns, self.patch, width)
        stack = np.empty((height, width, down.shape[1], across.shape[1]))
        for a, i in enumerate(down.T):
            for b, j in enumerate(across.T):
                y, x = np.arange(height) - rows[i], np.arange(width) - columns[j]
                covered = np.logical_and.outer(i >= 0, j >= 0)
                # Where no window lies the indices are wrapped into range, then overruled.
                entry = windows[j, i[:, None], y[:, None] % self.patch, x % self.patch]
                stack[..., a, b] = np.where(covered, entry, np.inf)
        stack = stack.reshape(height, width, -1)
        stack.sort(axis=-1)
        count = np.outer((down >= 0).sum(axis=1), (across >= 0).sum(axis=1))[..., None]
        low = np.take_along_axis(stack, np.maximum(count - 1, 0) // 2, axis=-1)
        high = np.take_along_axis(stack, np.maximum(count, 1) // 2, axis=-1)
        return np.where(count > 0, (low + high) / 2, 0.0)[..., 0]

    def last(self, patches: np.ndarray) -> np.ndarray:
        """The entry of the last window over each pixel, (H, W); 0 where no window lies.

        `patches` is a patch tensor (p, p, n) or matrix (p * p, n).
        """
        height, width = self.shape
        rows, columns = np.array(self.rows), np.array(self.columns)
        i = _covering(rows, self.patch, height).max(axis=1)
        j = _covering(columns, self.patch, width).max(axis=1)
        y, x = np.arange(height) - rows[i], np.arange(width) - columns[j]
        tensor = patches.reshape(self.patch, self.patch, len(self))
        entry = tensor[y[:, None] % self.patch, x % self.patch, j * len(rows) + i[:, None]]
        return np.where(np.logical_and.outer(i >= 0, j >= 0), entry, 0.0)
