"""What the targets of a data set are like: number, size, contrast, SCR.

A target is an 8-connected region of the mask. Its neighbourhood is its box enlarged on
each side by the box's own size (three times the target, as in pixelGame's Section III) or
by `margin` pixels (20 is the other custom of the field), cut at the border, less the
pixels of any target. With mu_t and mu_b the mean grey levels of target and neighbourhood
and sigma_b the standard deviation of the neighbourhood

    contrast = mu_t - mu_b,    SCR = |contrast| / sigma_b .

On a flat neighbourhood SCR is infinite, and is kept so; it is NaN where the target has no
contrast either, or where no pixel is left in the neighbourhood.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from skimage.measure import label, regionprops

from istsbench.data.samples import Dataset, Sample

if TYPE_CHECKING:
    pass

IMAGE_COLUMNS = ["image", "width", "height", "targets"]
TARGET_TYPES = {
    "image": str,
    "row": float,
    "column": float,
    "area": int,
    "width": int,
    "height": int,
    "contrast": float,
    "scr": float,
}


@dataclass(frozen=True)
class Statistics:
    """A row an image and a row a target of one split of a data set."""

    name: str
    title: str
    split: str
    trainval: int  # images for training and validation, 0 without such a split
    test: int
    images: pd.DataFrame  # image, width, height (pixels), targets (number)
    targets: pd.DataFrame  # image, row, column (centroid), area, width, height, contrast, scr


def statistics(dataset: Dataset, split: str = "all", margin: int | None = None) -> Statistics:
    """Measure every target of a split; `margin` in pixels, None for three times the target."""
    images: list[dict[str, Any]] = []
    targets: list[dict[str, Any]] = []
    for name in dataset.names(split):
        sample = dataset.load(name)
        found = [{"image": name, **values} for values in measure(sample, margin)]
        height, width = sample.image.shape
        images.append({"image": name, "width": width, "height": height, "targets": len(found)})
        targets += found
    return Statistics(
        dataset.name,
        dataset.title,
        split,
        _count(dataset, "trainval"),
        _count(dataset, "test"),
        pd.DataFrame(images, columns=IMAGE_COLUMNS),
        # The types are said for a split without targets.
        pd.DataFrame(targets, columns=list(TARGET_TYPES)).astype(TARGET_TYPES),
    )


def measure(sample: Sample, margin: int | None = None) -> Iterator[dict[str, float]]:
    """The measures of each target of one sample, in raster order."""
    for region in regionprops(label(sample.mask, connectivity=2)):
        rows, columns = np.nonzero(region.image)
        top, left, below, right = region.bbox
        height, width = below - top, right - left
        up, along = (height, width) if margin is None else (margin, margin)
        around = (
            slice(max(top - up, 0), below + up),
            slice(max(left - along, 0), right + along),
        )
        background = sample.image[around][~sample.mask[around]]
        contrast, spread = np.nan, np.nan
        if background.size:
            contrast = sample.image[region.slice][region.image].mean() - background.mean()
            spread = background.std()
        with np.errstate(divide="ignore", invalid="ignore"):
            scr = np.abs(contrast) / np.float64(spread)
        yield {
            "row": top + rows.mean(),
            "column": left + columns.mean(),
            "area": len(rows),
            "width": width,
            "height": height,
            "contrast": contrast,
            "scr": scr,
        }


def summary(measured: Sequence[Statistics]) -> pd.DataFrame:
    """A row a data set: what the paper's Table I and its text on Fig. 4 say of one.

    Shares are 0..1. The SCR columns are over the targets whose SCR is a number or
    infinite; `scr_infinite` and `scr_undefined` are shares of all targets.
    """
    return pd.DataFrame([_summary(one) for one in measured])


def _summary(measured: Statistics) -> dict[str, Any]:
    images, targets = measured.images, measured.targets
    known = targets["scr"].dropna()
    # "lower" takes a value that occurs: between a number and infinity there is no other.
    quarters = known.quantile([0.25, 0.5, 0.75], interpolation="lower").to_list()
    return {
        "dataset": measured.title,
        "split": measured.split,
        "trainval": measured.trainval,
        "test": measured.test,
        "images": len(images),
        "width": f"{images['width'].min()}..{images['width'].max()}",
        "height": f"{images['height'].min()}..{images['height'].max()}",
        "targets": len(targets),
        "images_with_one": (images["targets"] == 1).mean(),
        "most_in_an_image": images["targets"].max(),
        "area_median": targets["area"].median(),
        "area_below_100": (targets["area"] < 100).mean(),
        "contrast_median": targets["contrast"].median(),
        "dark": (targets["contrast"] < 0).mean(),
        "scr_quarter": quarters[0],
        "scr_median": quarters[1],
        "scr_three_quarters": quarters[2],
        "scr_below_5": (known < 5).mean(),
        "scr_infinite": np.isinf(targets["scr"]).mean(),
        "scr_undefined": targets["scr"].isna().mean(),
    }


def _count(dataset: Dataset, split: str) -> int:
    known = split in dataset.splits or (split == "trainval" and "train" in dataset.splits)
    return len(dataset.names(split)) if known else 0


# ------------------------------------------------------------------ the picture
