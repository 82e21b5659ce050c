"""One image under a profile, counted, and the scores of many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from PIL import Image
from skimage.measure import label

from istsbench.arrays import score_map, target_mask
from istsbench.matching import Regions, match_regions
from istsbench.metrics import pixel_counts
from istsbench.results.profiles import (
    ANY_PIXEL,
    BY_MAXIMUM,
    CV2_LINEAR,
    CV2_NEAREST,
    NATIVE,
    PIL_BILINEAR,
    PIL_NEAREST,
    Profile,
)

_RESIZED: Mapping[str, Callable[[np.ndarray, int], np.ndarray]] = {
    PIL_BILINEAR: lambda array, side: np.asarray(
        Image.fromarray(array.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR)
    ),
    PIL_NEAREST: lambda array, side: np.asarray(
        Image.fromarray(array.astype(np.uint8)).resize((side, side), Image.Resampling.NEAREST)
    ),
    CV2_LINEAR: lambda array, side: cv2.resize(
        array.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR
    ),
    CV2_NEAREST: lambda array, side: cv2.resize(
        array.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST
    ),
}

PROFILE_COLUMNS = (
    "image", "rule", "tp", "fp", "fn", "tn", "scaled_tp", "scaled_fp", "scaled_fn", "targets",
    "detected", "false_pixels", "of_pixels",
)  # fmt: skip
"""Of the counts under a profile, a row an image. `tp` to `tn` are of the mask that IoU is taken
of, `scaled_*` of the mask that all else is; `of_pixels` is what false pixels are divided by, and
`rule` the name of the profile."""


@dataclass(frozen=True)
class UnderProfile:
    """One image under a profile: its row, and its part of the two sums of the ROC."""

    row: dict[str, object]  # by PROFILE_COLUMNS
    hits: np.ndarray  # (steps + 1,) target pixels, or targets, that the level finds
    false: np.ndarray  # (steps + 1,) other pixels above the level
    positives: int  # what hits are divided by; 0 without a ROC
    negatives: int


def count_under(
    profile: Profile,
    name: str,
    score: np.ndarray,
    truth: np.ndarray,
    probability: bool,
    dataset: str = "",
    of_resized: bool = False,
) -> UnderProfile:
    """The counts of a native map (H, W) and its mask; `probability`: the map is one, 0..1.

    With `of_resized` the map was made of the image at the size that the profile scores.
    Raises `ValueError` for a map with NaN or of another shape than the mask.
    """
    score, truth = score_map(score), target_mask(truth, "the truth")
    if of_resized:
        _, truth = at_size(profile, np.zeros(truth.shape), truth, dataset)
    if score.shape != truth.shape:
        raise ValueError(f"map of shape {score.shape} for a truth of shape {truth.shape}")
    if not of_resized:
        score, truth = at_size(profile, score, truth, dataset)
    values = taken(score, profile.scale, probability)
    mask = beyond_level(profile, values)
    for_iou = mask
    if profile.iou_scale != profile.scale:
        for_iou = beyond_level(profile, taken(score, profile.iou_scale, probability))
    regions, count = label(truth, return_num=True, connectivity=2)
    pixels = pixel_counts(mask, truth)
    if profile.match == ANY_PIXEL:
        detected, false, of = _any_pixel(regions, count, mask)
    else:
        matched = match_regions(Regions.of(mask), Regions.of(truth), _matching(profile))
        detected, false, of = matched.detected, matched.false_pixels, truth.size
    row = (
        name, profile.name, *pixel_counts(for_iou, truth), *pixels[:3], count, detected, false, of,
    )  # fmt: skip
    return UnderProfile(
        dict(zip(PROFILE_COLUMNS, row, strict=True)), *_roc(profile, values, regions, count)
    )


def at_size(
    profile: Profile, score: np.ndarray, truth: np.ndarray, dataset: str = ""
) -> tuple[np.ndarray, np.ndarray]:
    """Map and mask at the size that the profile scores on that data set."""
    side = profile.size_on(dataset)
    if side is None:
        return score, truth
    score = _RESIZED[profile.map](score, side)
    return score.astype(np.float64), _RESIZED[profile.mask](truth, side).astype(bool)


def resized_image(profile: Profile, image: np.ndarray, dataset: str = "") -> np.ndarray:
    """A native image (H, W), 0..255, as the code of the profile hands it to its network.

    These codes resize pictures of 8 bit, so that the levels stay whole.
    """
    side = profile.size_on(dataset)
    if side is None or profile.image == NATIVE:
        return image
    grey = np.rint(image).astype(np.uint8)
    if profile.image == CV2_LINEAR:
        made = cv2.resize(grey, (side, side), interpolation=cv2.INTER_LINEAR)
    else:
        made = np.asarray(Image.fromarray(grey).resize((side, side), Image.Resampling.BILINEAR))
    return np.asarray(made, dtype=np.float64)


def taken(score: np.ndarray, how: str, probability: bool) -> np.ndarray:
    """The map as a profile compares it with levels.

    Divided by its maximum, a map without a positive value is above no level: 0/0 is no number.
    """
    if how == BY_MAXIMUM:
        high = score.max()
        return np.asarray(score / high) if high > 0 else np.full_like(score, -np.inf)
    if probability:
        return score
    low, high = score.min(), score.max()
    return np.asarray((score - low) / (high - low)) if high > low else np.zeros_like(score)


def beyond_level(profile: Profile, values: np.ndarray) -> np.ndarray:
    """The pixels that the profile's level selects."""
    return np.asarray(values > profile.level if profile.strict else values >= profile.level)


def _matching(profile: Profile) -> str:
    return "area" if profile.false == "area" else profile.match


def _any_pixel(regions: np.ndarray, count: int, mask: np.ndarray) -> tuple[int, int, int]:
    """Targets with a positive pixel, positive pixels off targets, pixels off targets.

    An image without a target counts nowhere.
    """
    if not count:
        return 0, 0, 0
    background = regions == 0
    hit = np.unique(regions[mask & ~background])
    return len(hit), int(np.count_nonzero(mask & background)), int(np.count_nonzero(background))


def _roc(
    profile: Profile, values: np.ndarray, regions: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, int, int]:
    roc = profile.roc
    if roc is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), 0, 0
    levels = np.arange(roc.steps + 1) / roc.steps
    on = regions > 0
    if roc.over == "pixels":
        return (
            _beyond(values[on], levels, "right"), _beyond(values[~on], levels, "right"),
            int(np.count_nonzero(on)), int(np.count_nonzero(~on)),
        )  # fmt: skip
    if not count:
        return np.zeros(len(levels), np.int64), np.zeros(len(levels), np.int64), 0, 0
    peaks = np.full(count + 1, -np.inf)
    np.maximum.at(peaks, regions[on], values[on])
    hits, false = _beyond(peaks[1:], levels, "left"), _beyond(values[~on], levels, "left")
    return hits, false, count, int(np.count_nonzero(~on))


def _beyond(values: np.ndarray, levels: np.ndarray, side: str) -> np.ndarray:
    """How many values lie above each level: `right` strictly, `left` at it as well."""
    places = np.searchsorted(np.sort(values, axis=None), levels, side=side)  # type: ignore[call-overload]
    return np.asarray(values.size - places)


def roc_area(profile: Profile, counted: Sequence[UnderProfile]) -> float:
    """The area below the profile's ROC over all images; nan without one or without targets.

    Trapezoids between its points, in the order of levels; nothing is added at its ends.
    """
    positives = sum(one.positives for one in counted)
    negatives = sum(one.negatives for one in counted)
    if profile.roc is None or not positives or not negatives:
        return float("nan")
    hits = np.sum([one.hits for one in counted], axis=0)
    false = np.sum([one.false for one in counted], axis=0)
    added = 1e-3 if profile.roc.over == "pixels" else 0.0
    found, fall = hits / (positives + added), false / (negatives + added)
    return float(np.sum((fall[:-1] - fall[1:]) * (found[:-1] + found[1:]) / 2))


def profile_scores(profile: Profile, counts: pd.DataFrame) -> dict[str, float]:
    """All scores of one method, named as in `metrics.summarise`, from its rows, one an image.

    Ratios are 0..1 and pooled, 0/0 = 0; `niou` is the mean over images, an empty pair counting
    as 0. `pd` is nan without targets, `fa` nan where there is no pixel to divide by.
    """
    total = counts[list(PROFILE_COLUMNS[2:])].sum()
    tp, fp, fn = (float(total[f"scaled_{key}"]) for key in ("tp", "fp", "fn"))
    below, under = profile.epsilon
    precision, recall = _ratio(tp, tp + fp + below), _ratio(tp, tp + fn + below)
    f1 = _ratio(2 * precision * recall, precision + recall + under)
    union = counts["tp"] + counts["fp"] + counts["fn"]
    each = np.divide(counts["tp"], union, out=np.zeros(len(counts)), where=union > 0)
    nothing = float("nan")
    return {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "iou": _ratio(float(total["tp"]), float(union.sum())),
        "niou": float(each.mean()) if len(counts) else nothing,
        "pd": float(total["detected"] / total["targets"]) if total["targets"] else nothing,
        "fa": float(total["false_pixels"] / total["of_pixels"]) if total["of_pixels"] else nothing,
    }


def _ratio(over: float, under: float) -> float:
    return over / under if under else 0.0
