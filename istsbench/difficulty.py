"""What makes an image hard: its number of targets, their size, their local contrast.

The contrast is the signal-to-clutter ratio of pixelGame's Eq. (2): |mean of the target -
mean of its neighbourhood| / standard deviation of the neighbourhood. The neighbourhood
is the target's bounding box stretched to three times its sides about its centre, cut at
the image's edge, without the pixels of any target.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.ndimage import find_objects, label

from istsbench.data import Dataset

REACH = 3  # sides of the neighbourhood, in sides of the target
BINS = {
    "targets": (1, 2, 3),
    "size": (1, 10, 26, 50, 81),
    "scr": (0, 1, 2, 4, 8),
}
"""Lower ends of the classes, the last one open; sizes divide at 9, 25, 49 and 80 pixels."""
_EIGHT = np.ones((3, 3), dtype=int)


def local_scr(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The signal-to-clutter ratio of each 8-connected target, in raster order.

    nan where the neighbourhood is empty or flat.
    """
    labels, _ = label(mask, structure=_EIGHT)
    found = []
    for index, box in enumerate(find_objects(labels), start=1):
        around = tuple(_stretched(part, side) for part, side in zip(box, mask.shape, strict=True))
        target, clutter = image[labels == index], image[around][~mask[around]]
        spread = clutter.std() if clutter.size else 0.0
        found.append(abs(target.mean() - clutter.mean()) / spread if spread else np.nan)
    return np.array(found)


def _stretched(part: slice, side: int) -> slice:
    margin = (part.stop - part.start) * (REACH - 1) // 2
    return slice(max(part.start - margin, 0), min(part.stop + margin, side))


def describe(dataset: Dataset, names: Iterable[str]) -> pd.DataFrame:
    """Indexed by image: `targets`, and the means over them of `size` (pixels) and `scr`.

    Size and contrast of an image without a target are nan.
    """
    lines = {}
    for name in names:
        sample = dataset.load(name)
        _, number = label(sample.mask, structure=_EIGHT)
        ratios = local_scr(sample.image, sample.mask)
        known = ratios[np.isfinite(ratios)]
        lines[name] = (
            number,
            sample.mask.sum() / number if number else np.nan,
            known.mean() if known.size else np.nan,
        )
    return pd.DataFrame.from_dict(lines, orient="index", columns=["targets", "size", "scr"])


def classes(values: pd.Series, starts: tuple[int, ...]) -> pd.Series:
    """The class of each value as an ordered category; values below the first are nan."""
    edges = [*starts, np.inf]
    whole = starts[0] > 0  # counts and pixels; contrasts are real numbers from 0
    names = []
    for low, high in zip(edges, edges[1:], strict=False):
        if high == np.inf:
            names.append(f"≥{low}")
        elif whole:
            names.append(f"{low}" if high - low == 1 else f"{low}–{high - 1}")
        else:
            names.append(f"{low}–{high}")
    return pd.cut(values, edges, right=False, labels=names)
