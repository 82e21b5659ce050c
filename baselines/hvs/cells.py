"""Cells of the local contrast measures: a square, its eight neighbours, their means.

For an odd side s, the central cell of a pixel is the s x s square around it, and
its eight neighbours are the same square moved by s up, down, left, right and
diagonally: nine cells that tile a 3s x 3s window. A statistic of a neighbour is
therefore the statistic of the central cell of another pixel, and one map of it,
on the image domain extended by s pixels on each side, serves all nine: the
functions here make such an extended map, (H + 2s, W + 2s), and read views of it.
"""

from collections.abc import Iterator

import cv2
import numpy as np

CLOCKWISE = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
"""Positions (down, right) of the neighbours in cells; i and i + 4 are opposite."""

BORDERS = {"replicate": cv2.BORDER_REPLICATE, "zero": cv2.BORDER_CONSTANT}


def pad(image: np.ndarray, width: int, border: str = "replicate") -> np.ndarray:
    """The image (H, W) with `width` pixels more on each side, (H + 2 width, W + 2 width).

    `border` is "replicate" (the nearest pixel of the image) or "zero".
    """
    return cv2.copyMakeBorder(image, width, width, width, width, BORDERS[border])


def cell_means(image: np.ndarray, side: int) -> np.ndarray:
    """Extended map of the cell means of an image (H, W), which is padded by replicate.

    The sums are direct, not running: equal cells have equal means, and the mean of
    a black cell is exactly 0, whatever lies beside it.
    """
    ones = np.ones(side)
    sums = cv2.sepFilter2D(pad(image, side), -1, ones, ones, borderType=cv2.BORDER_REPLICATE)
    return sums / side**2


def cell_view(extended: np.ndarray, side: int, down: int = 0, right: int = 0) -> np.ndarray:
    """The part (H, W) of an extended map that belongs to one cell, (0, 0) the central one."""
    height, width = extended.shape[0] - 2 * side, extended.shape[1] - 2 * side
    top, left = side * (1 + down), side * (1 + right)
    return extended[top : top + height, left : left + width]


def neighbours(extended: np.ndarray, side: int) -> list[np.ndarray]:
    """The eight neighbours' views (H, W) of an extended map, in the order `CLOCKWISE`."""
    return [cell_view(extended, side, down, right) for down, right in CLOCKWISE]


def opposite_pairs(extended: np.ndarray, side: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The four pairs of views (H, W) of neighbours that face each other across the centre."""
    around = neighbours(extended, side)
    return zip(around[:4], around[4:], strict=True)


def largest_neighbour(extended: np.ndarray, side: int) -> np.ndarray:
    """The largest of the eight neighbours' values, (H, W)."""
    first, *rest = neighbours(extended, side)
    largest = first.copy()
    for other in rest:
        np.maximum(largest, other, out=largest)
    return largest


def ratio(numerator: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Numerator / background, and 0 where the background is not positive."""
    return np.divide(numerator, background, out=np.zeros_like(background), where=background > 0)
