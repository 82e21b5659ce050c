"""What makes an image hard: its number of targets, their size, their local SCR."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from istsbench.data.samples import Dataset
from istsbench.data.statistics import measure

BINS = {
    "targets": (1, 2, 3),
    "size": (1, 10, 26, 50, 81),
    "scr": (0, 1, 2, 4, 8),
}
"""Lower ends of the classes, the last one open; sizes divide at 9, 25, 49 and 80 pixels."""


def describe(dataset: Dataset, names: Iterable[str]) -> pd.DataFrame:
    """Indexed by image: `targets`, and the means over them of `size` (pixels) and `scr`.

    The SCR is that of `statistics.measure`, its neighbourhood three times the target.
    Size and SCR of an image without a target are nan.
    """
    lines = {}
    for name in names:
        targets = pd.DataFrame(measure(dataset.load(name)), columns=["area", "scr"])
        lines[name] = (len(targets), targets["area"].mean(), targets["scr"].mean())
    return pd.DataFrame.from_dict(lines, orient="index", columns=["targets", "size", "scr"])


def classes(values: pd.Series, starts: tuple[int, ...]) -> pd.Series:
    """The class of each value as an ordered category; values below the first are nan."""
    edges = [*starts, np.inf]
    whole = starts[0] > 0  # counts and pixels; SCRs are real numbers from 0
    names = []
    for low, high in zip(edges, edges[1:], strict=False):
        if high == np.inf:
            names.append(f"≥{low}")
        elif whole:
            names.append(f"{low}" if high - low == 1 else f"{low}–{high - 1}")
        else:
            names.append(f"{low}–{high}")
    return pd.cut(values.clip(upper=np.finfo(float).max), edges, right=False, labels=names)
