"""Means of the largest pixels of cells, and the relative contrast measured with them.

The windows around all pixels are sorted together: a sorted list is a stack of maps,
the k-th holding every window's k-th largest value. The list of a window is merged
from those of its two halves by Batcher's odd-even network, a fixed sequence of
maxima and minima of whole maps, less the steps that no kept value depends on. Halves
of equal size are the same maps, moved: a side of 9 takes four merges along each axis.

(`skimage.filters.rank` counts whole grey levels of 8 or 16 bits, and so cannot serve.)

Batcher, "Sorting networks and their applications", AFIPS Spring Joint Computer
Conference 32, 307-314 (1968), doi 10.1145/1468075.1468121.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

import cv2
import numpy as np

from baselines.hvs.cells import pad, ratio

BAND = 32  # rows sorted at a time, so that the maps of a network stay in the cache


def top_means(image: np.ndarray, side: int, counts: Sequence[int]) -> list[np.ndarray]:
    """Extended maps, (H + 2 side, W + 2 side), of the means of each cell's largest pixels.

    One map for each of `counts`, the numbers of pixels averaged, 1 to side**2. Pixels
    outside the image (H, W) are 0 and count. The pixels may be of any sign.
    """
    keep = max(counts)
    if min(counts) < 1 or keep > side**2:
        raise ValueError(f"counts are {counts}, expected 1 to {side**2} for a side of {side}")
    padded = pad(image, side + side // 2, "zero")
    height, width = (length - side + 1 for length in padded.shape)
    means = [np.empty((height, width)) for _ in counts]
    for start in range(0, height, BAND):
        rows = padded[start : start + BAND + side - 1]
        largest = _windows(_windows([rows], side, keep, axis=0), side, keep, axis=1)
        sums = np.add.accumulate(largest)
        for mean, count in zip(means, counts, strict=True):
            # Rounding could move the mean of equal pixels away from their value.
            least, most = largest[count - 1], largest[0]
            np.clip(sums[count - 1] / count, least, most, out=mean[start : start + BAND])
    return means


def relative_contrast(centre: np.ndarray, background: np.ndarray) -> np.ndarray:
    """max(0, centre**2 / background - centre), and 0 where the background is not positive.

    Both are (H, W). The background is the brightest neighbour cell, which makes this the
    smallest contrast over the eight.
    """
    return np.maximum(centre * ratio(centre - background, background), 0)


def core(image: np.ndarray) -> np.ndarray:
    """The image (H, W) smoothed by [1 2 1] / 4 along each axis, padded by replicate."""
    return cv2.GaussianBlur(image, (3, 3), 0, borderType=cv2.BORDER_REPLICATE)


def _windows(singles: list[np.ndarray], side: int, keep: int, axis: int) -> list[np.ndarray]:
    """The sorted lists of `side` neighbours along an axis merged: the `keep` largest values."""
    if side == 1:
        return singles
    halves = _windows(singles, side // 2, keep, axis)
    length = singles[0].shape[axis] - side + 1
    merged = _merge(_moved(halves, 0, length, axis), _moved(halves, side // 2, length, axis), keep)
    if side % 2:
        merged = _merge(merged, _moved(singles, side - 1, length, axis), keep)
    return merged


def _moved(maps: list[np.ndarray], start: int, length: int, axis: int) -> list[np.ndarray]:
    part = (slice(None),) * axis + (slice(start, start + length),)
    return [values[part] for values in maps]


def _merge(first: list[np.ndarray], second: list[np.ndarray], keep: int) -> list[np.ndarray]:
    """The `keep` largest values of two lists, both from large to small, as one such list."""
    steps, order = _network(len(first), len(second), keep)
    wires = [*first, *second]
    for upper, lower, needs_upper, needs_lower in steps:
        one, other = wires[upper], wires[lower]
        if needs_upper:
            wires[upper] = np.maximum(one, other)
        if needs_lower:
            wires[lower] = np.minimum(one, other)
    return [wires[wire] for wire in order]


@lru_cache
def _network(
    first: int, second: int, keep: int
) -> tuple[tuple[tuple[int, int, bool, bool], ...], tuple[int, ...]]:
    """The steps that merge lists of these lengths, and the wires of the `keep` largest.

    A step (upper, lower, needs_upper, needs_lower) puts the larger of two wires on the
    upper, the smaller on the lower one; only the needed ones of both are computed.
    """
    order, pairs = _odd_even(range(first), range(first, first + second))
    order = order[:keep]
    needed = set(order)
    steps = []
    for upper, lower in reversed(pairs):
        if upper in needed or lower in needed:
            steps.append((upper, lower, upper in needed, lower in needed))
            needed |= {upper, lower}
    return tuple(reversed(steps)), tuple(order)


def _odd_even(
    first: Sequence[int], second: Sequence[int]
) -> tuple[list[int], list[tuple[int, int]]]:
    """Batcher's merge of two sorted lists of wires: their order after the pairs compared."""
    wires = [*first, *second]
    if not first or not second:
        return wires, []
    if len(wires) == 2:
        return wires, [(wires[0], wires[1])]
    odd, odd_pairs = _odd_even(first[::2], second[::2])
    even, even_pairs = _odd_even(first[1::2], second[1::2])
    last = list(zip(even, odd[1:], strict=False))
    order = [odd[0], *chain(*last), *odd[1 + len(last) :], *even[len(last) :]]
    return order, [*odd_pairs, *even_pairs, *last]
