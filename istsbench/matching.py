"""Targets found and missed: the regions of a mask against those of the truth, under every rule.

Regions are 8-connected. Published codes differ in which predicted region finds which true one:

- "first": in raster order, each true region takes the first free predicted region whose centroid
  lies less than 3 pixels from its own; the rest is false (BasicIRSTD after its correction of
  2024). The default.
- "area": the same detections, but a region whose *area* equals that of any matched one is not
  counted as false (DNANet and its followers). It understates Fa and is here to compare with old
  papers only.
- "hungarian": the largest number of pairs in reach, then the least total distance.
- "opdc": overlap priority with distance compensation (PyIRSTDMetrics 1.0.2), the matching of
  hIoU. The pairs of least total distance over *all* regions that overlap by an IoU of at least
  one half, then, among what is left, the pairs of least total distance that are in reach. As in
  that package, distance decides before overlap is looked at, so a good overlap can be lost.
- "shooting": no regions are formed. A target is found by a positive pixel on it or beside it
  (1 pixel, diagonals included); positive pixels farther than 4 pixels from all targets are false.

hIoU is the IoU of the pairs of "opdc", over all regions of either side; `Opdc` has what it loses
where. That package counts a region that is not there (a phantom) where a mask is empty; here it
is not counted, and `metrics.hierarchy` adds it on demand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import fsum

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from istsbench.arrays import target_mask

REACH = 3.0  # pixels of the scored size; a centroid must be nearer than this
HIT, SPARED = 1, 4  # pixels around a target, diagonals included: of a hit; not false
MATCHES = ("first", "area", "hungarian", "opdc", "shooting")


@dataclass(frozen=True)
class Regions:
    """The 8-connected regions of a mask, numbered from 0 in raster order.

    `labels` (H, W) is 0 for background and n + 1 for region n; `rows`, `columns` and `owner` tell
    of each positive pixel, in raster order, where it lies and in which region.

    >>> found = Regions.of(np.array([[1, 1, 0, 0, 1]]))
    >>> found.areas.tolist(), found.centroids.tolist()
    ([2, 1], [[0.0, 0.5], [0.0, 4.0]])
    """

    areas: np.ndarray  # (n,)
    centroids: np.ndarray  # (n, 2)
    labels: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    owner: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray) -> Regions:
        """Of a mask (H, W), bool or of two levels; raises `ValueError` for any other, and for
        one without a pixel."""
        mask = target_mask(mask)
        if mask.ndim != 2:
            raise ValueError(f"the mask has {mask.ndim} dimensions, expected 2: (height, width)")
        if not mask.size:  # OpenCV would end the process
            raise ValueError(f"the mask has the shape {mask.shape}: no pixel")
        count, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
        count -= 1  # the background
        # Not by regionprops: a mask of noise has thousands of regions, 25 times as slow there.
        rows, columns = np.nonzero(mask)
        owner: np.ndarray = labels[rows, columns].astype(np.intp) - 1
        first = np.full(count, owner.size)
        np.minimum.at(first, owner, np.arange(owner.size))
        if (first[1:] < first[:-1]).any():  # OpenCV promises no order
            places = np.empty(count, np.int32)
            places[np.argsort(first)] = np.arange(count, dtype=np.int32)
            owner = places[owner]
            labels[rows, columns] = owner + 1
        areas = np.bincount(owner, minlength=count)
        sums = [np.bincount(owner, weights=along, minlength=count) for along in (rows, columns)]
        centroids = np.stack(sums, axis=1) / areas[:, None]
        return cls(areas, centroids, labels, rows, columns, owner)


@dataclass(frozen=True)
class TargetCounts:
    """What a rule makes of one image.

    >>> TargetCounts(targets=2, detected=1, false_pixels=9).detected
    1
    """

    targets: int  # true regions
    detected: int  # true regions with a match
    false_pixels: int  # pixels that count as false alarms


@dataclass(frozen=True)
class Opdc:
    """The pairs of "opdc" in one image, and all that hIoU and its errors are made of.

    The four sums run over the pairs (T, Q), each term over the pixels of T and Q together, and add
    up to the number of pairs.

    >>> one = Regions.of(np.array([[0, 1, 0]]))
    >>> found = Matching(one, one).opdc()
    >>> found.pairs, found.iou, found.missed
    (((0, 0),), 1.0, 0.0)
    """

    targets: int
    regions: int  # predicted
    pairs: tuple[tuple[int, int], ...]  # number of the target, of the predicted region
    false_pixels: int  # of predicted regions in no pair
    targets_apart: int  # targets that no predicted region reaches
    regions_apart: int  # predicted regions that reach no target
    iou: float  # pixels of T and Q
    merged: float  # pixels of Q on other targets
    spilled: float  # pixels of Q on background
    missed: float  # pixels of T that Q lacks


def target_counts(mask: np.ndarray, truth: np.ndarray, match: str = "first") -> TargetCounts:
    """Target-level counts of masks (H, W) under one of `MATCHES`.

    Raises `ValueError` for two shapes, another rule, and for what is no mask.

    >>> mask, truth = np.zeros((9, 9), bool), np.zeros((9, 9), bool)
    >>> truth[1, 1] = mask[2, 2] = mask[7, 7] = True
    >>> target_counts(mask, truth)
    TargetCounts(targets=1, detected=1, false_pixels=1)
    """
    if np.shape(mask) != np.shape(truth):
        raise ValueError(f"mask of shape {np.shape(mask)} for a truth of shape {np.shape(truth)}")
    return match_regions(Regions.of(mask), Regions.of(truth), match)


def match_regions(predicted: Regions, true: Regions, match: str = "first") -> TargetCounts:
    """Target-level counts of the regions of two masks of one shape, under one of `MATCHES`.

    >>> one = Regions.of(np.array([[0, 1, 0]]))
    >>> match_regions(one, one, "hungarian")
    TargetCounts(targets=1, detected=1, false_pixels=0)
    """
    return Matching(predicted, true).counts(match)


@dataclass(frozen=True)
class Matching:
    """The regions of a mask and of the truth, of one shape, to be matched under several rules.

    >>> mask, truth = np.array([[0, 1, 1, 0]]), np.array([[0, 0, 1, 0]])
    >>> Matching(Regions.of(mask), Regions.of(truth)).opdc().iou
    0.5
    """

    predicted: Regions
    true: Regions

    def counts(self, match: str) -> TargetCounts:
        """The counts under one of `MATCHES`; raises `ValueError` for another name."""
        if match not in MATCHES:
            raise ValueError(f"match is {match!r}, expected one of {', '.join(MATCHES)}")
        if match == "shooting":
            return self._shot()
        areas, used = self.predicted.areas, self._used(match)
        if match == "area":
            false = ~np.isin(areas, areas[used])
        else:
            false = np.ones(len(areas), bool)
            false[used] = False
        return TargetCounts(len(self.true.areas), len(used), int(areas[false].sum()))

    def _used(self, match: str) -> np.ndarray:
        """The numbers of the predicted regions that have a target."""
        if match == "opdc":
            return self._pairs[1]
        return self._assigned if match == "hungarian" else self._first_come

    @cached_property
    def distance(self) -> np.ndarray:
        """Pixels between the centroids, (targets, predicted regions)."""
        return np.asarray(cdist(self.true.centroids, self.predicted.centroids))

    @cached_property
    def _first_come(self) -> np.ndarray:
        used: list[int] = []
        for row in self.distance < REACH:
            free = [int(index) for index in np.nonzero(row)[0] if index not in used]
            used += free[:1]
        return np.array(used, dtype=np.intp)

    @cached_property
    def _assigned(self) -> np.ndarray:
        # Above any possible sum of distances in reach, so that the number of pairs comes first.
        away = REACH * (min(self.distance.shape) + 1)
        near = self.distance < REACH
        rows, columns = linear_sum_assignment(np.where(near, self.distance, away))
        return np.asarray(columns[near[rows, columns]])

    # -------------------------------------------------------------- opdc

    @cached_property
    def _shared(self) -> np.ndarray:
        """Pixels that a target and a predicted region share, (targets, predicted regions)."""
        true, shape = self.true, self.distance.shape
        over = self.predicted.labels[true.rows, true.columns]
        inside = over > 0
        places = true.owner[inside] * shape[1] + over[inside] - 1
        return np.bincount(places, minlength=shape[0] * shape[1]).reshape(shape)

    @cached_property
    def _union(self) -> np.ndarray:
        """Pixels of a target and a predicted region together, (targets, predicted regions)."""
        return np.asarray(self.true.areas[:, None] + self.predicted.areas - self._shared)

    @cached_property
    def _half(self) -> np.ndarray:
        """Whether the IoU of a target and a predicted region is at least one half."""
        return np.asarray(2 * self._shared >= self._union)

    @cached_property
    def _pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """The targets that have a predicted region, and these, both by number."""
        rows, columns = linear_sum_assignment(self.distance)
        kept = self._half[rows, columns]
        rows, columns = rows[kept], columns[kept]
        free, loose = (
            np.setdiff1d(np.arange(many), taken, assume_unique=True)
            for many, taken in zip(self.distance.shape, (rows, columns), strict=True)
        )
        left = self.distance[np.ix_(free, loose)]
        more, others = linear_sum_assignment(left)
        near = left[more, others] < REACH
        return (
            np.append(rows, free[more[near]]),
            np.append(columns, loose[others[near]]),
        )

    def opdc(self) -> Opdc:
        """The pairs of "opdc", and what hIoU and its errors are made of."""
        true, predicted = self.true, self.predicted
        targets, regions = self._pairs
        reach = self._half | (self.distance < REACH)
        on_targets = self._shared.sum(axis=0)[regions]
        shared, union = self._shared[targets, regions], self._union[targets, regions]
        parts = {
            "iou": shared,
            "merged": on_targets - shared,
            "spilled": predicted.areas[regions] - on_targets,
            "missed": true.areas[targets] - shared,
        }
        return Opdc(
            targets=len(true.areas),
            regions=len(predicted.areas),
            pairs=tuple(zip(targets.tolist(), regions.tolist(), strict=True)),
            false_pixels=self.counts("opdc").false_pixels,
            targets_apart=int(np.count_nonzero(~reach.any(axis=1))),
            regions_apart=int(np.count_nonzero(~reach.any(axis=0))),
            **_sums(parts, union),
        )

    # -------------------------------------------------------------- shooting

    def _shot(self) -> TargetCounts:
        true, positive = self.true, self.predicted.labels > 0
        beside = _widened(positive, HIT)[true.rows, true.columns]
        hit = np.bincount(true.owner[beside], minlength=len(true.areas)) > 0
        false = positive & ~_widened(true.labels > 0, SPARED)
        return TargetCounts(len(true.areas), int(hit.sum()), int(np.count_nonzero(false)))


def _sums(parts: Mapping[str, np.ndarray], union: np.ndarray) -> dict[str, float]:
    """Each part over the union, summed over the pairs whatever their order."""
    return {name: fsum((pixels / union).tolist()) for name, pixels in parts.items()}


def _widened(mask: np.ndarray, by: int) -> np.ndarray:
    """The mask and all pixels up to `by` rows and columns from it."""
    square = np.ones((2 * by + 1, 2 * by + 1), np.uint8)
    return cv2.dilate(mask.view(np.uint8), square).view(bool)
