"""From a score map and a mask to targets: a table, boxes for other tools, a picture to look at.

Rows and columns are pixels from the upper left, the centre of the first pixel at (0, 0).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.ndimage import find_objects, maximum, mean
from skimage.measure import label

from istsbench.matching import Regions

_MARGIN = 2  # pixels between a target and the box that is drawn around it
_RED = (255, 64, 64)
TARGET_COLUMNS = (
    "method", "image", "frame", "row", "column", "area", "peak", "score", "level",
    "top", "left", "height", "width",
)  # fmt: skip
"""Of the table of targets: centroid in pixels, area in pixels, highest and mean score of the map
in the target, the level that its pixels exceed, and the box around it in pixels."""


@dataclass(frozen=True)
class Target:
    """An 8-connected region of a mask."""

    row: float  # of the centroid, pixels
    column: float
    area: int  # pixels
    peak: float  # the highest score of the map in it
    score: float  # the mean score in it
    top: int  # of the box around it, pixels
    left: int
    height: int
    width: int


def targets_of(score: np.ndarray, mask: np.ndarray) -> list[Target]:
    """The targets of a mask, bool (H, W), in raster order; `score` is the map of its size."""
    labels, number = label(mask, return_num=True, connectivity=2)
    if not number:
        return []
    regions, every = Regions.of(mask), np.arange(1, number + 1)
    peaks, means = maximum(score, labels, every), mean(score, labels, every)
    return [
        Target(
            float(row), float(column), int(area), float(peak), float(middle),
            rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start,
        )
        for (row, column), area, peak, middle, (rows, columns) in zip(
            regions.centroids, regions.areas, peaks, means, find_objects(labels), strict=True
        )
    ]  # fmt: skip


@dataclass(frozen=True)
class Segmented:
    """What a method found in one frame."""

    image: str  # as the input was called
    frame: int  # from 0
    output: str  # name of the outputs, without ending
    shape: tuple[int, int]  # height, width
    level: float  # what the pixels of a target exceed, in the unit of the map
    targets: tuple[Target, ...]
    deep: bool = False  # whether the picture had more than 8 bit
    cut: int = 0  # pixels whose levels lay beyond those of the depth
    highest: float | None = None  # value of the map; None in outputs of earlier versions

    @classmethod
    def empty(
        cls, image: str, frame: int, output: str, pixels: np.ndarray, deep: bool, cut: int
    ) -> Segmented:
        """A frame, its pixels (H, W), before a method has seen it."""
        height, width = pixels.shape
        return cls(image, frame, output, (height, width), 0.0, (), deep, cut)

    def filled(self, level: float, highest: float, targets: Sequence[Target]) -> Segmented:
        """The frame with what was found in it."""
        return replace(self, level=level, highest=highest, targets=tuple(targets))

    @property
    def beyond(self) -> bool:
        """Whether the level is above every value of the map."""
        return self.highest is not None and self.level > self.highest

    @property
    def full(self) -> bool:
        """Whether every pixel exceeds the level."""
        return sum(one.area for one in self.targets) == self.shape[0] * self.shape[1]


def as_table(method: str, found: Iterable[Segmented]) -> pd.DataFrame:
    """A row a target with `TARGET_COLUMNS`; frames without a target have none."""
    rows = [
        {"method": method, "image": one.image, "frame": one.frame, "level": one.level}
        | vars(target)
        for one in found
        for target in one.targets
    ]
    return pd.DataFrame(rows, columns=[*TARGET_COLUMNS])


def as_coco(method: str, found: Sequence[Segmented]) -> str:
    """The boxes as a COCO file: images, annotations, one category.

    `score` and `peak` of an annotation are those of the table: mean and highest value of the map.
    """
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for number, one in enumerate(found, start=1):
        height, width = one.shape
        images.append(
            {
                "id": number, "file_name": one.image, "frame": one.frame,
                "mask": f"masks/{one.output}.png", "width": width, "height": height,
            }
        )  # fmt: skip
        for target in one.targets:
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": number, "category_id": 1,
                    "bbox": [target.left, target.top, target.width, target.height],
                    "area": target.area, "iscrowd": 0, "score": target.score, "peak": target.peak,
                }
            )  # fmt: skip
    told = {
        "info": {"description": f"targets found by {method} (istsbench apply)"},
        "categories": [{"id": 1, "name": "target"}],
        "images": images,
        "annotations": annotations,
    }
    return json.dumps(told, indent=1)


def as_yolo(one: Segmented) -> str:
    """The boxes of a frame as YOLO labels: class 0, centre and size as shares of the sides."""
    height, width = one.shape
    lines = (
        f"0 {(target.left + target.width / 2) / width:.6f} "
        f"{(target.top + target.height / 2) / height:.6f} "
        f"{target.width / width:.6f} {target.height / height:.6f}\n"
        for target in one.targets
    )
    return "".join(lines)


def overlay(image: np.ndarray, targets: Iterable[Target]) -> np.ndarray:
    """The image, grey levels 0..255 (H, W), with a box around each target; uint8 (H, W, 3)."""
    grey = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    drawn = np.repeat(grey[..., None], 3, axis=2)
    for target in targets:
        top, left = max(target.top - _MARGIN, 0), max(target.left - _MARGIN, 0)
        bottom = min(target.top + target.height + _MARGIN, image.shape[0]) - 1
        right = min(target.left + target.width + _MARGIN, image.shape[1]) - 1
        drawn[[top, bottom], left : right + 1] = _RED
        drawn[top : bottom + 1, [left, right]] = _RED
    return drawn
