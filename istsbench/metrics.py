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

import numpy as np
import pandas as pd

from istsbench.arrays import score_map, target_mask
from istsbench.suppression import GAINS
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
HIOU_LOSSES = {
    "seg_mrg_err": "pixels of a pair on other targets",
    "seg_itf_err": "pixels of a pair on background",
    "seg_pcp_err": "pixels of a target that its pair lacks",
    "loc_s2m_err": "targets in reach of a region that another target has",
    "loc_m2s_err": "regions in reach of a target that another region has",
    "loc_itf_err": "regions in reach of no target",
    "loc_pcp_err": "targets that no region reaches",
}
"""What a method loses of hIoU, by the names of PyIRSTDMetrics: of pixels, then of regions."""


def pixel_counts(mask: np.ndarray, truth: np.ndarray) -> tuple[int, int, int, int]:
    """True positives, false positives, false negatives, true negatives of masks (H, W).

    Raises `ValueError` for two shapes, and for what is no mask.
    """
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
    """Precision, recall, F1 and IoU (0..1) of each row of tp, fp, fn, and hIoU of rows that tell
    of it; 0/0 = 0."""
    tp, fp, fn = (counts[column].to_numpy(np.float64) for column in ("tp", "fp", "fn"))
    values = {
        "precision": _divide(tp, tp + fp),
        "recall": _divide(tp, tp + fn),
        "f1": _divide(2 * tp, 2 * tp + fp + fn),
        "iou": _divide(tp, tp + fp + fn),
    }
    if {"iou_opdc", "detected_opdc", "regions"} <= {*counts}:
        values["hiou"] = _divide(counts["iou_opdc"].to_numpy(), every_region(counts))
    return pd.DataFrame(values, index=counts.index)


def every_region(counts: pd.DataFrame) -> np.ndarray:
    """How many regions each row has on either side, those of a pair of "opdc" as one."""
    regions = counts["targets"] + counts["regions"] - counts["detected_opdc"]
    return regions.to_numpy(np.float64)


def without_target(counts: pd.DataFrame) -> pd.Series:
    """Whether each row is of an image without a target pixel."""
    return (counts["tp"] + counts["fn"]) == 0


def image_ratios(counts: pd.DataFrame, empty: str = "zero") -> pd.DataFrame:
    """The `ratios` whose means are the image reduction; `ValueError` if `empty` is not known."""
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
    unit); both, like `pd_shooting`, `fa_shooting` and all of `hierarchy`, are always pooled, as
    everywhere in the field. `auc_image` is the mean of the images' own areas, and the gains of
    `suppression` are means over the targets that have one, a share of all in `scrg_share` and so
    on. What the rows do not tell is nan: those of earlier
    versions lack columns.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is {reduction!r}, expected one of {', '.join(REDUCTIONS)}")
    images = image_ratios(counts, empty)
    if reduction == "image":
        scores = images.mean()
    else:
        scores = ratios(counts[["tp", "fp", "fn"]].sum().to_frame().T).iloc[0]
    pixels = counts[["tp", "fp", "fn", "tn"]].to_numpy().sum()
    own, shot = (_target_scores(counts, pixels, name) for name in (match, "shooting"))
    shares = {
        f"{gain}_share": _mean(_sum(counts, f"{gain}_targets"), _sum(counts, "targets"))
        for gain in GAINS
    }
    return {
        **{name: float(scores[name]) for name in RATIOS},
        "niou": float(images["iou"].mean()),
        "pd": own[0],
        "fa": own[1],
        **hierarchy(counts),
        "pd_shooting": shot[0],
        "fa_shooting": shot[1],
        "auc_image": float(counts["auc"].mean()) if "auc" in counts else float("nan"),
        **{gain: _mean(_sum(counts, gain), _sum(counts, f"{gain}_targets")) for gain in GAINS},
        **shares,
    }


def _target_scores(counts: pd.DataFrame, pixels: int, match: str) -> tuple[float, float]:
    """Pd and Fa under one of `MATCHES`."""
    found = "" if match in ("first", "area") else f"_{match}"
    false = "" if match == "first" else f"_{match}"
    detected, wrong = _sum(counts, f"detected{found}"), _sum(counts, f"false_pixels{false}")
    return _mean(detected, _sum(counts, "targets")), float(wrong / pixels)


def _sum(counts: pd.DataFrame, column: str) -> float:
    """The sum of a column, nan if it or any of its numbers is not there."""
    return float(counts[column].to_numpy(np.float64).sum()) if column in counts else float("nan")


def _mean(over: float, under: float) -> float:
    """The ratio, nan if it is over nothing."""
    return over / under if under else float("nan")


def hierarchy(counts: pd.DataFrame, phantoms: bool = False) -> dict[str, float]:
    """hIoU of a method under one rule, its two factors and all that it loses, from its rows.

    `loc` is the share of pairs among all regions, paired or not, of either side; `seg` the mean
    IoU of the pairs; `hiou` their product. The parts of a pair add up to 1, `seg` and three of
    `HIOU_LOSSES`; so do those of regions, `loc` and the other four. Sums run over all images: there
    is no hIoU of means over images. Without a region anywhere all are nan, without a pair `seg` and
    its parts are 0.

    With `phantoms` a region is added, as PyIRSTDMetrics 1.0.2 does, wherever a mask is empty: a
    false one where nothing is predicted, and a missed one where there is no target.
    """
    pairs, apart, alone = (
        _sum(counts, name) for name in ("detected_opdc", "regions_apart", "targets_apart")
    )
    regions, targets = _sum(counts, "regions"), _sum(counts, "targets")
    if phantoms and regions == regions:
        false, missed = (int((counts[name] == 0).sum()) for name in ("regions", "targets"))
        regions, apart, targets, alone = (
            regions + false, apart + false, targets + missed, alone + missed,
        )  # fmt: skip
    everything = regions + targets - pairs
    lost = {
        "loc_s2m_err": targets - pairs - alone,
        "loc_m2s_err": regions - pairs - apart,
        "loc_itf_err": apart,
        "loc_pcp_err": alone,
    }
    sums = [_sum(counts, f"{part}_opdc") for part in ("iou", "merged", "spilled", "missed")]
    seg, *wrong = (total / pairs if pairs else 0.0 for total in sums)
    loc = _mean(pairs, everything)
    return {
        "hiou": loc * seg,
        "loc": loc,
        "seg": seg if everything else float("nan"),
        **{
            name: value if everything else float("nan")
            for name, value in zip(HIOU_LOSSES, wrong, strict=False)
        },
        **{name: _mean(value, everything) for name, value in lost.items()},
    }


def sweep(score: np.ndarray, truth: np.ndarray, rules: Sequence[Threshold]) -> np.ndarray:
    """Counts tp, fp, fn (len(rules), 3) of a map under many rules; `ValueError` for two shapes."""
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
