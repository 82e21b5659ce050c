"""Boxes around regions: what a mask found, missed and invented, and what an inset shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from skimage.measure import label, regionprops

from istsbench.figures.panels import INSET, Box
from istsbench.matching import REACH, Regions

MARGIN = 3  # pixels between a region and its box
LEAST = 15  # pixels, least side of what the inset shows


@dataclass(frozen=True)
class Detections:
    """Boxes around what a mask found, missed and invented."""

    found: list[Box]
    missed: list[Box]
    false: list[Box]


def boxes(mask: np.ndarray) -> list[Box]:
    """The bounding boxes of the 8-connected regions, in raster order."""
    return [region.bbox for region in regionprops(label(mask, connectivity=2))]


def outcome(mask: np.ndarray, truth: np.ndarray) -> Detections:
    """Targets found and missed, and false regions, by the rule "first" of `metrics`."""
    predicted, true = boxes(mask), boxes(truth)
    found: list[Box] = []
    missed: list[Box] = []
    free = np.ones(len(predicted), dtype=bool)
    near = np.zeros((len(true), len(predicted)), dtype=bool)
    if predicted and true:
        near = cdist(Regions.of(truth).centroids, Regions.of(mask).centroids) < REACH
    for box, row in zip(true, near, strict=True):
        first = np.flatnonzero(row & free)[:1]
        free[first] = False
        (found if len(first) else missed).append(box)
    return Detections(
        found, missed, [box for box, left in zip(predicted, free, strict=True) if left]
    )


def widened(box: Box, margin: int, shape: tuple[int, ...]) -> Box:
    top, left, bottom, right = box
    return (
        max(top - margin, 0),
        max(left - margin, 0),
        min(bottom + margin, shape[0]),
        min(right + margin, shape[1]),
    )


def joined(found: Iterable[Box]) -> list[Box]:
    """One box in place of several that overlap or touch, until none do."""
    merged = list(found)
    while merged:
        covered = np.zeros(np.max([box[2:] for box in merged], axis=0), dtype=bool)
        for top, left, bottom, right in merged:
            covered[top:bottom, left:right] = True
        before, merged = len(merged), boxes(covered)
        if len(merged) == before:
            break
    return merged


def boxes_apart(found: Iterable[Box], shape: tuple[int, ...]) -> list[Box]:
    """The boxes to draw around regions, clear of each other."""
    return joined(widened(box, MARGIN, shape) for box in found)


def zoomed(mask: np.ndarray) -> Box | None:
    """A square around the first target (twice its longer side), within the image."""
    first = next(iter(boxes(mask)), None)
    if first is None:
        return None
    top, left, bottom, right = first
    side = min(max(2 * max(bottom - top, right - left), LEAST), *mask.shape)
    start = [(low + high - side) // 2 for low, high in ((top, bottom), (left, right))]
    start = [min(max(low, 0), size - side) for low, size in zip(start, mask.shape, strict=True)]
    return start[0], start[1], start[0] + side, start[1] + side


def free_corner(mask: np.ndarray) -> tuple[int, int]:
    """The corner whose inset would hide the fewest targets, then farthest from the first.

    (0, 0) is the upper left, (1, 1) the lower right.
    """
    centres = Regions.of(mask).centroids / mask.shape
    if not len(centres):
        return (0, 0)

    def hidden(corner: tuple[int, int]) -> tuple[int, float]:
        away = np.abs(centres - corner)
        return int((away < INSET).all(axis=1).sum()), -float(np.hypot(*away[0]))

    return min(((0, 0), (0, 1), (1, 0), (1, 1)), key=hidden)
