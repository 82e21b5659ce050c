"""Operating curves of maps, and the areas under them: over pixels, and over targets.

The areas are exact: a rank statistic over all pixels given, ties half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from istsbench.arrays import real_scores, target_mask
from istsbench.matching import Regions

TARGET_LEVELS = np.arange(201) / 200


def _share(part: np.ndarray, whole: np.ndarray | int) -> np.ndarray:
    return np.asarray(part / np.maximum(whole, 1))


@dataclass(frozen=True)
class Curve:
    """One exact operating curve over all pixels given to it.

    `tp`, `fp` (n,) count the pixels at or above each distinct value, from the highest.
    Areas are nan where there is no target pixel or nothing else.

    >>> curve = Curve.of(np.array([0.9, 0.8, 0.3, 0.1]), np.array([1, 0, 1, 0]))
    >>> curve.auc, round(curve.average_precision, 3)
    (0.75, 0.833)
    """

    tp: np.ndarray
    fp: np.ndarray
    positives: int
    negatives: int

    @classmethod
    def of(cls, values: np.ndarray, truth: np.ndarray) -> Curve:
        """From flat arrays of values and of truths (a mask), ties kept together."""
        values, truth = real_scores(values), target_mask(truth, "the truth")
        if values.shape != truth.shape:
            raise ValueError(f"values of shape {values.shape}, truths of shape {truth.shape}")
        order = np.argsort(values, kind="stable")[::-1]
        values, truth = values[order], truth[order]
        last = np.append(np.nonzero(values[1:] != values[:-1])[0], values.size - 1)
        tp = np.cumsum(truth)[last]
        return cls(tp, last + 1 - tp, int(truth.sum()), int(truth.size - truth.sum()))

    @property
    def tpr(self) -> np.ndarray:
        return _share(self.tp, self.positives)

    @property
    def fpr(self) -> np.ndarray:
        return _share(self.fp, self.negatives)

    @property
    def auc(self) -> float:
        """Area under the ROC: a target pixel outranks another with this chance, ties half."""
        if not (self.positives and self.negatives):
            return float("nan")
        tpr, fpr = np.append(0, self.tpr), np.append(0, self.fpr)
        return float(np.trapezoid(tpr, fpr))

    @property
    def average_precision(self) -> float:
        """Sum over the values of precision times the gain in recall (no interpolation)."""
        if not self.positives:
            return float("nan")
        precision = _share(self.tp, self.tp + self.fp)
        return float(np.sum(precision * np.diff(np.append(0, self.tpr))))

    def points(self, number: int = 400) -> pd.DataFrame:
        """At most `number` points for drawing: even in recall, and in log(FPR)."""
        recall, fall = self.tpr, self.fpr
        even = np.searchsorted(recall, np.linspace(0, 1, number // 2))
        fine = np.searchsorted(fall, np.geomspace(1 / max(self.negatives, 1), 1, number // 2))
        chosen = np.unique(np.clip(np.append(even, fine), 0, len(recall) - 1))
        precision = _share(self.tp, self.tp + self.fp)
        return pd.DataFrame(
            {"fpr": fall[chosen], "tpr": recall[chosen], "precision": precision[chosen]}
        )


@dataclass(frozen=True)
class TargetCurve:
    """The target-level ROC of papers that count a target as found by any of its pixels.

    Each map is divided by its maximum. At the level k/200, `found` (201,) counts the targets with
    a pixel at or above it, `false` (201,) the background pixels. The area saturates near 1: it is
    1 less the share of background at least as bright as the *brightest* pixel of a target, and a
    share of one in ten thousand is six pixels of 256x256. A map of zeros, or of less, finds nothing
    at any level.
    """

    found: np.ndarray
    false: np.ndarray
    targets: int
    background: int

    def __add__(self, other: TargetCurve) -> TargetCurve:
        return TargetCurve(
            self.found + other.found, self.false + other.false,
            self.targets + other.targets, self.background + other.background,
        )  # fmt: skip

    @property
    def auc(self) -> float:
        """The area under found targets over false pixels, nan without either kind."""
        if not (self.targets and self.background):
            return float("nan")
        found, false = self.found / self.targets, self.false / self.background
        return float(np.trapezoid(found[::-1], false[::-1]))


def ranked(score: np.ndarray, true: Regions) -> tuple[float, TargetCurve]:
    """The exact area under the ROC of one map (H, W), nan without either kind of pixel, and what
    it adds to the target-level curve; both from one sort."""
    if score.shape != true.labels.shape:
        raise ValueError(f"map of shape {score.shape} for a truth of {true.labels.shape}")
    inside = score[true.rows, true.columns].astype(np.float64)
    ground, marked = np.sort(score[true.labels == 0]), np.sort(inside)
    below = np.searchsorted(ground, marked, "left").sum(dtype=float)
    upto = np.searchsorted(ground, marked, "right").sum(dtype=float)
    pairs = ground.size * marked.size
    auc = float((below + upto) / 2 / pairs) if pairs else float("nan")
    targets, highest = len(true.areas), float(score.max())
    if highest > 0:
        brightest = np.full(targets, -np.inf)
        np.maximum.at(brightest, true.owner, inside / highest)
        found = np.count_nonzero(brightest[:, None] >= TARGET_LEVELS, axis=0)
        false = ground.size - np.searchsorted(ground.astype(np.float64) / highest, TARGET_LEVELS)
    else:
        found = false = np.zeros(TARGET_LEVELS.size, np.int64)
    return auc, TargetCurve(found, false, targets, ground.size)
