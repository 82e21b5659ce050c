"""Where methods fail, image by image, as marks that a page draws over one picture.

Pictures are embedded once and shared by all methods; what a method did on one is a
handful of boxes and a path, in pixels of the image.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from istsbench.data.samples import Dataset, Sample
from istsbench.figures.boxes import MARGIN, boxes, outcome
from istsbench.figures.panels import Box
from istsbench.metrics import ratios
from istsbench.results.masks import Masks
from istsbench.results.results import Results

_SIDE = 512  # pixels, longest side of an embedded picture
QUALITY = 92  # of its JPEG
RUNS = 250  # a mask of more runs is shown by its boxes alone
FALSE = 40  # false regions boxed, the largest first
_CLOSE = 48  # pixels, least side of a close-up
_SHOWN = 3  # best and worst images of a method


def image_f1(results: Results, rule: str) -> pd.DataFrame:
    """F1 of each image and method that has counts under the rule, images x specs (str)."""
    found = {}
    for spec, counts in results.counts.items():
        rows = counts.query("rule == @rule").set_index("image")
        if len(rows):
            found[spec] = ratios(rows)["f1"]
    return pd.DataFrame(found)


def ordered(f1: pd.DataFrame) -> list[str]:
    """The images by how much the methods disagree, the standard deviation of F1, most first."""
    spread = f1.std(axis=1, ddof=0)
    return sorted(f1.index, key=lambda name: (-spread[name], name))


def extremes(rows: pd.DataFrame, available: Iterable[str]) -> tuple[list[str], list[str]]:
    """The images of highest and of lowest F1 of one method, none in both.

    `rows` are counts of one rule, indexed by image. Images without a target count only
    where there is nothing else.
    """
    rows = rows.loc[[name for name in rows.index if name in set(available)]]
    if (rows["targets"] > 0).any():
        rows = rows[rows["targets"] > 0]
    values = ratios(rows)
    order = sorted(rows.index, key=lambda n: (-values.loc[n, "f1"], rows.loc[n, "false_pixels"], n))
    number = min(_SHOWN, -(-len(order) // 2))
    best, worst = order[:number], order[number:][::-1][:_SHOWN]
    return best, worst


@dataclass(frozen=True)
class FailurePicture:
    """An image to embed, with where its targets are."""

    name: str
    width: int  # pixels of the image itself
    height: int
    source: str  # data URI
    targets: int
    close: tuple[int, int, int, int]  # x, y, width, height around the targets
    truth: dict[str, object]  # `marks` of the true mask

    @classmethod
    def of(cls, sample: Sample) -> FailurePicture:
        height, width = sample.image.shape
        pixels: np.ndarray = sample.image.astype(np.uint8)
        shrink = _SIDE / max(height, width)
        if shrink < 1:
            size = (max(round(width * shrink), 1), max(round(height * shrink), 1))
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        source = "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
        true = boxes(sample.mask)
        close = _close(true, (height, width))
        truth = mask_overlay(sample.mask, sample.mask)
        return cls(sample.name, width, height, source, len(true), close, truth)


def _close(true: list[Box], shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """A square around the targets, or around the first if they lie far apart."""
    if not true:
        return 0, 0, shape[1], shape[0]
    whole = np.array(true)
    (top, left), (bottom, right) = whole[:, :2].min(axis=0), whole[:, 2:].max(axis=0)
    if max(bottom - top, right - left) > 0.5 * min(shape):
        top, left, bottom, right = true[0]
    side = int(min(max(_CLOSE, 2 * max(bottom - top, right - left)), *shape))
    y, x = (
        int(min(max((low + high - side) // 2, 0), size - side))
        for low, high, size in ((top, bottom, shape[0]), (left, right, shape[1]))
    )
    return x, y, side, side


def mask_overlay(mask: np.ndarray, truth: np.ndarray) -> dict[str, object]:
    """What to draw of a mask: `found`, `missed`, `false` boxes as (x, y, width, height), a
    `path` of its pixels (empty if it is too ragged), and the `number` of false regions."""
    seen = outcome(mask, truth)
    largest = sorted(seen.false, key=lambda box: -(box[2] - box[0]) * (box[3] - box[1]))
    return {
        "found": _around(seen.found, mask.shape),
        "missed": _around(seen.missed, mask.shape),
        "false": _around(largest[:FALSE], mask.shape),
        "number": len(seen.false),
        "path": path(mask),
    }


def _around(found: Iterable[Box], shape: tuple[int, ...]) -> list[list[int]]:
    """The boxes `MARGIN` wider, within the image."""
    wide = []
    for top, left, bottom, right in found:
        top, left = max(top - MARGIN, 0), max(left - MARGIN, 0)
        bottom, right = min(bottom + MARGIN, shape[0]), min(right + MARGIN, shape[1])
        wide.append([left, top, right - left, bottom - top])
    return wide


def path(mask: np.ndarray) -> str:
    """The pixels of a mask as an SVG path of level strokes one pixel wide, or nothing."""
    edges = np.diff(mask.astype(np.int8), axis=1, prepend=0, append=0)
    rows, starts = np.nonzero(edges == 1)
    if len(rows) > RUNS:
        return ""
    lengths = np.nonzero(edges == -1)[1] - starts
    runs = zip(starts.tolist(), rows.tolist(), lengths.tolist(), strict=True)
    return "".join(f"M{x} {y}.5h{length}" for x, y, length in runs)


def explore(
    results: Results, masks: dict[str, Masks], rule: str, dataset: Dataset, names: list[str]
) -> tuple[list[FailurePicture], dict[str, dict[str, dict]]]:
    """Pictures of the named images and, by spec and image, `marks` with the counts."""
    pictures = []
    cells: dict[str, dict[str, dict]] = {spec: {} for spec in masks}
    f1 = image_f1(results, rule)
    for name in names:
        sample = dataset.load(name)
        pictures.append(FailurePicture.of(sample))
        for spec, one in masks.items():
            mask = one(name) if name in one.rows.index else None
            if mask is None or mask.shape != sample.mask.shape:
                continue
            cells[spec][name] = {
                "f1": round(float(f1[spec][name]), 3),
                "detected": int(one.rows["detected"][name]),
                **mask_overlay(mask, sample.mask),
            }
    return pictures, cells
