"""Counts per image, and every score of the field derived from them.

Pixels: tp, fp, fn, tn of a mask against the truth give precision, recall, F1 and IoU.
Two reductions exist and are never mixed: `image` (the mean over images of each image's
ratio; the image mean of IoU is the field's nIoU) and `pooled` (the ratio of the summed
counts). 0/0 is 0 in both, as in the field's public codes.

Targets: 8-connected regions, found or missed by one of the rules of `istsbench.matching`. Pd is
the share of detected targets, Fa the false pixels over all pixels.

Masks may be bool, or numbers of two levels, 0 and 1 or 0 and 255; other levels, NaN and
masked arrays are refused by `ValueError` (`istsbench.arrays`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from istsbench.arrays import real_scores, score_map, target_mask
from istsbench.threshold import MeanStd, Threshold

HEADS = {"precision": "P", "recall": "R", "f1": "F1", "iou": "IoU"}
REDUCTIONS = ("image", "pooled")
EMPTY = {
    "zero": "count as 0 in means over images (0/0 = 0)",
    "one": "count as 1 in means over images where nothing is predicted, else as 0",
    "exclude": "are left out of means over images",
}
"""How images without a target count. Their false alarms always count in pooled scores and Fa."""
RATIOS = ("precision", "recall", "f1", "iou")


def pixel_counts(mask: np.ndarray, truth: np.ndarray) -> tuple[int, int, int, int]:
    """True positives, false positives, false negatives, true negatives of masks (H, W)."""
    mask, truth = target_mask(mask), target_mask(truth, "the truth")
    if mask.shape != truth.shape:
        raise ValueError(f"mask of shape {mask.shape} for a truth of shape {truth.shape}")
    tp = int(np.count_nonzero(mask & truth))
    fp = int(np.count_nonzero(mask)) - tp
    fn = int(np.count_nonzero(truth)) - tp
    return tp, fp, fn, mask.size - tp - fp - fn


def _divide(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    over, under = np.asarray(over, float), np.asarray(under, float)
    ratio = np.zeros(np.broadcast(over, under).shape)
    np.divide(over, under, out=ratio, where=under != 0)
    return ratio


def ratios(counts: pd.DataFrame) -> pd.DataFrame:
    """Precision, recall, F1 and IoU (0..1) of each row of tp, fp, fn; 0/0 = 0."""
    tp, fp, fn = (counts[column].to_numpy(np.float64) for column in ("tp", "fp", "fn"))
    values = {
        "precision": _divide(tp, tp + fp),
        "recall": _divide(tp, tp + fn),
        "f1": _divide(2 * tp, 2 * tp + fp + fn),
        "iou": _divide(tp, tp + fp + fn),
    }
    return pd.DataFrame(values, index=counts.index)


def without_target(counts: pd.DataFrame) -> pd.Series:
    """Whether each row is of an image without a target pixel."""
    return (counts["tp"] + counts["fn"]) == 0


def image_ratios(counts: pd.DataFrame, empty: str = "zero") -> pd.DataFrame:
    """The `ratios` whose means are the image reduction; `empty` is one of `EMPTY`."""
    if empty not in EMPTY:
        raise ValueError(f"empty is {empty!r}, expected one of {', '.join(EMPTY)}")
    found, bare = ratios(counts), without_target(counts)
    if empty == "one":
        found[bare & (counts["fp"] == 0)] = 1.0
    return found[~bare] if empty == "exclude" else found


def summarise(
    counts: pd.DataFrame, reduction: str, match: str = "first", empty: str = "zero"
) -> dict[str, float]:
    """All scores of one method under one rule, from its rows (one an image).

    `empty`, one of `EMPTY`, says how images without a target count in means over images.
    Ratios are 0..1. `niou` is the image mean of IoU under either reduction. `pd` is 0..1
    and nan without targets; `fa` is false pixels per pixel (multiply by 1e6 for the usual
    unit); both are always pooled, as everywhere in the field.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is {reduction!r}, expected one of {', '.join(REDUCTIONS)}")
    images = image_ratios(counts, empty)
    if reduction == "image":
        scores = images.mean()
    else:
        scores = ratios(counts[["tp", "fp", "fn"]].sum().to_frame().T).iloc[0]
    suffix = "" if match == "first" else f"_{match}"
    detected = counts["detected_hungarian" if match == "hungarian" else "detected"].sum()
    targets = counts["targets"].sum()
    pixels = counts[["tp", "fp", "fn", "tn"]].to_numpy().sum()
    return {
        **{name: float(scores[name]) for name in RATIOS},
        "niou": float(images["iou"].mean()),
        "pd": float(detected / targets) if targets else float("nan"),
        "fa": float(counts[f"false_pixels{suffix}"].sum() / pixels),
    }


def sweep(score: np.ndarray, truth: np.ndarray, rules: Sequence[Threshold]) -> np.ndarray:
    """(len(rules), 3) counts tp, fp, fn of one image under many rules, from one sort."""
    score, truth = score_map(score), target_mask(truth, "the truth")
    if score.shape != truth.shape:
        raise ValueError(f"map of shape {score.shape} for a truth of shape {truth.shape}")
    mean, deviation, low = score.mean(), score.std(), score.min()
    levels = np.array(
        [
            max(mean + rule.k * deviation, low) if isinstance(rule, MeanStd) else rule.level(score)
            for rule in rules
        ]
    )
    everything, targets = np.sort(score, axis=None), np.sort(score[truth])
    above = everything.size - np.searchsorted(everything, levels, side="right")
    tp = targets.size - np.searchsorted(targets, levels, side="right")
    return np.stack([tp, above - tp, targets.size - tp], axis=1)


def best_rule(counts: np.ndarray, rules: Sequence[Threshold]) -> Threshold:
    """The rule with the best pooled F1; counts (len(rules), 3) summed over images.

    The first of equals wins, so the choice does not depend on rounding.
    """
    tp, fp, fn = np.asarray(counts, dtype=np.float64).T  # sums of small integers would wrap
    return rules[int(np.argmax(_divide(2 * tp, 2 * tp + fp + fn)))]


@dataclass(frozen=True)
class Curve:
    """One exact operating curve over all pixels given to it.

    `tp`, `fp` (n,) count the pixels at or above each distinct value, from the highest.
    Areas are nan where there is no target pixel or nothing else.
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
        return _divide(self.tp, np.array(self.positives))

    @property
    def fpr(self) -> np.ndarray:
        return _divide(self.fp, np.array(self.negatives))

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
        precision = _divide(self.tp, self.tp + self.fp)
        return float(np.sum(precision * np.diff(np.append(0, self.tpr))))

    def points(self, number: int = 400) -> pd.DataFrame:
        """At most `number` points for drawing: even in recall, and in log(FPR)."""
        recall, fall = self.tpr, self.fpr
        even = np.searchsorted(recall, np.linspace(0, 1, number // 2))
        fine = np.searchsorted(fall, np.geomspace(1 / max(self.negatives, 1), 1, number // 2))
        chosen = np.unique(np.clip(np.append(even, fine), 0, len(recall) - 1))
        precision = _divide(self.tp, self.tp + self.fp)
        return pd.DataFrame(
            {"fpr": fall[chosen], "tpr": recall[chosen], "precision": precision[chosen]}
        )
