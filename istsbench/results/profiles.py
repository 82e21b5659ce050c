"""How the public codes of the field turn maps into scores, each as a value: a profile.

A profile fixes what a table of this package leaves to choose: the size that is scored, how map
and mask get there, the scaling of the map, the level, the matching, which pixels are false and
what they are divided by, the reduction, and the ROC. Scores under different profiles are
different numbers.

A profile is applied to a map that a method made of the native image. The codes whose size is not
the native one resize the *image* and score the map that comes of it; here the map is resized by
what they use for the image, the nearest there is without running the method again. A map that is
no probability has nothing like the sigmoid output of a network: where a profile takes maps as they
are, such a map is scaled to [0, 1] by its smallest and largest value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import pandas as pd
from PIL import Image
from skimage.measure import label

from istsbench.arrays import score_map, target_mask
from istsbench.errors import UnknownName
from istsbench.matching import Regions, match_regions
from istsbench.metrics import pixel_counts

NATIVE = "native"
PIL_BILINEAR, PIL_NEAREST = "PIL bilinear", "PIL nearest"
CV2_LINEAR, CV2_NEAREST = "cv2 linear", "cv2 nearest"
AS_IT_IS, BY_MAXIMUM = "as it is", "by its maximum"
ANY_PIXEL = "any pixel"  # a target is found by any positive pixel on it
BACKGROUND = "background"

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


@dataclass(frozen=True)
class Roc:
    """The curve of a code: a point a level k / `steps`, k = 0..steps, no end point added.

    Over `pixels` a point is the share of target pixels and of all others above the level, with
    0.001 added to both denominators. Over `targets` it is the share of targets with any pixel at
    or above it, and of pixels off the targets; images without a target are left out.
    """

    over: str  # pixels or targets
    steps: int

    @property
    def text(self) -> str:
        return f"{self.steps + 1} levels over {self.over}"


@dataclass(frozen=True)
class Profile:
    """What a code does to a map and its mask, and how it reduces the counts to scores."""

    name: str
    source: str  # repository
    commit: str  # that was read; empty if none is known
    size: int | None  # side of the square that is scored; None: native
    image: str  # how the code brings an image to that size, before its network
    map: str  # how a map comes to that size here
    mask: str
    scale: str  # of the map, for everything but IoU
    iou_scale: str  # of the map, for IoU
    match: str  # of `matching.MATCHES`, or ANY_PIXEL
    false: str  # whose pixels are false: "regions", "area" or BACKGROUND
    roc: Roc | None
    prints: str  # the scores that the code prints
    level: float = 0.5
    strict: bool = True  # above the level, not at it
    reduction: str = "pooled"
    epsilon: tuple[float, float] = (0.0, 0.0)  # added below P and R, and below F1
    sizes: Mapping[str, int] = field(default_factory=dict)  # by data set, where it is another
    certain: bool = True  # read in the code; else inferred from codes of its family

    def size_on(self, dataset: str) -> int | None:
        """The side of the square that is scored on a data set, None for the native size."""
        return self.sizes.get(dataset, self.size)

    def text(self, dataset: str = "") -> str:
        """The profile as one line says it under a table."""
        size, sign = self.size_on(dataset), ">" if self.strict else ">="
        where = "native size"
        if size is not None:
            there = "" if self.image == NATIVE else " (there the image, before the network)"
            where = f"maps by {self.map}{there} and masks by {self.mask} at {size}x{size}"
        scaled = f"map {self.scale} {sign} {self.level:g}"
        if self.scale == BY_MAXIMUM:
            scaled = f"map divided by its maximum {sign} {self.level:g}"
        if self.iou_scale != self.scale:
            scaled += f" (for IoU the map {self.iou_scale})"
        if self.match == ANY_PIXEL:
            matched = "a target is found by any pixel on it"
        else:
            matched = "targets matched in raster order"
        false = {
            "regions": "false are unmatched regions, over all pixels",
            "area": "false are unmatched regions of an area that no matched one has, "
            "over all pixels",
            BACKGROUND: "false are all pixels off the targets, over such pixels of images with "
            "targets",
        }[self.false]
        parts = [where, scaled, "pooled over all pixels", matched, false]
        if self.epsilon != (0.0, 0.0):
            low, high = self.epsilon
            parts.append(f"{low:g} added below P and R and {high:g} below F1")
        parts.append(f"AUC of {self.roc.text}" if self.roc else "no AUC")
        code = f"{self.source} {self.commit}".strip()
        code += "" if self.certain else ", partly inferred"
        return f"profile {self.name} ({code}): " + ", ".join(parts)


_PIXELS, _TARGETS = Roc("pixels", 10), Roc("targets", 200)
_BASICIRSTD = Profile(
    name="basicirstd",
    source="XinyiYing/BasicIRSTD",
    commit="95650c3",
    size=None,
    image=NATIVE,
    map=NATIVE,
    mask=NATIVE,
    scale=AS_IT_IS,
    iou_scale=AS_IT_IS,
    match="first",
    false="regions",
    roc=None,
    prints="IoU, recall, Pd, Fa",
)
_DNANET = replace(
    _BASICIRSTD,
    name="dnanet",
    source="YeRen123455/Infrared-Small-Target-Detection",
    commit="21584be",
    size=256,
    image=PIL_BILINEAR,
    map=PIL_BILINEAR,
    mask=PIL_NEAREST,
    false="area",
    roc=_PIXELS,
    prints="IoU, Pd, Fa",
)
_DRPCANET = replace(
    _DNANET,
    name="drpcanet",
    source="GrokCV/DRPCA-Net",
    commit="fe8250c",
    image=CV2_LINEAR,
    map=CV2_LINEAR,
    mask=CV2_NEAREST,
    scale=BY_MAXIMUM,
    iou_scale=BY_MAXIMUM,
    roc=_TARGETS,
    prints="IoU, F1, Pd, Fa, AUC",
)

PROFILES = {
    profile.name: profile
    for profile in (
        _BASICIRSTD,
        _DNANET,
        replace(
            _BASICIRSTD,
            name="sctransnet",
            source="xdFai/SCTransNet",
            commit="e027628",
            false="area",
            roc=_PIXELS,
            prints="IoU, nIoU, P, R, F1, Pd, Fa",
            epsilon=(1e-3, 1e-5),
        ),
        replace(
            _DRPCANET,
            name="l2sknet",
            source="fengyiwu98/L2SKNet",
            commit="b9624fe",
            image=NATIVE,
            iou_scale=AS_IT_IS,
            prints="IoU, P, R, F1, Pd, Fa, AUC",
            sizes={"irstd1k": 512},
        ),
        replace(
            _DRPCANET,
            name="rpcanet",
            source="fengyiwu98/RPCANet",
            commit="25da080",
            match=ANY_PIXEL,
            false=BACKGROUND,
        ),
        _DRPCANET,
        replace(_DNANET, name="mshnet", source="Lliu666/MSHNet", commit="7c5194b"),
        # The family that DNANet's code descends from, at its size; it counts no targets.
        replace(
            _DNANET,
            name="openacm",
            source="YimianDai/open-acm",
            commit="",
            size=512,
            roc=None,
            prints="IoU, nIoU",
            certain=False,
        ),
    )
}


def profile_named(name: str) -> Profile:
    """A profile by its name; raises `UnknownName` with close matches."""
    if name not in PROFILES:
        raise UnknownName("profile", name, list(PROFILES))
    return PROFILES[name]


# ------------------------------------------------------------------ counts

COLUMNS = (
    "image", "rule", "tp", "fp", "fn", "tn", "scaled_tp", "scaled_fp", "scaled_fn", "targets",
    "detected", "false_pixels", "of_pixels",
)  # fmt: skip
"""Of the counts under a profile, a row an image. `tp` to `tn` are of the mask that IoU is taken
of, `scaled_*` of the mask that all else is; `of_pixels` is what false pixels are divided by, and
`rule` the name of the profile."""


@dataclass(frozen=True)
class Counted:
    """One image under a profile: its row, and its part of the two sums of the ROC."""

    row: dict[str, object]  # by COLUMNS
    hits: np.ndarray  # (steps + 1,) target pixels, or targets, that the level finds
    false: np.ndarray  # (steps + 1,) other pixels above the level
    positives: int  # what hits are divided by; 0 without a ROC
    negatives: int


def count_image(
    profile: Profile,
    name: str,
    score: np.ndarray,
    truth: np.ndarray,
    probability: bool,
    dataset: str = "",
) -> Counted:
    """The counts of a native map (H, W) and its mask; `probability`: the map is one, 0..1.

    Raises `ValueError` for a map with NaN or of another shape than the mask.
    """
    score, truth = score_map(score), target_mask(truth, "the truth")
    if score.shape != truth.shape:
        raise ValueError(f"map of shape {score.shape} for a truth of shape {truth.shape}")
    score, truth = at_size(profile, score, truth, dataset)
    values = scaled(score, profile.scale, probability)
    mask = above(profile, values)
    for_iou = mask
    if profile.iou_scale != profile.scale:
        for_iou = above(profile, scaled(score, profile.iou_scale, probability))
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
    return Counted(dict(zip(COLUMNS, row, strict=True)), *_roc(profile, values, regions, count))


def at_size(
    profile: Profile, score: np.ndarray, truth: np.ndarray, dataset: str = ""
) -> tuple[np.ndarray, np.ndarray]:
    """Map and mask at the size that the profile scores on that data set."""
    side = profile.size_on(dataset)
    if side is None:
        return score, truth
    score = _RESIZED[profile.map](score, side)
    return score.astype(np.float64), _RESIZED[profile.mask](truth, side).astype(bool)


def scaled(score: np.ndarray, how: str, probability: bool) -> np.ndarray:
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


def above(profile: Profile, values: np.ndarray) -> np.ndarray:
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


# ------------------------------------------------------------------ scores


def area(profile: Profile, counted: Sequence[Counted]) -> float:
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


def summarise(profile: Profile, counts: pd.DataFrame) -> dict[str, float]:
    """All scores of one method from its rows (`COLUMNS`, one an image), as `metrics.summarise`.

    Ratios are 0..1 and pooled, 0/0 = 0; `niou` is the mean over images, an empty pair counting
    as 0. `pd` is nan without targets, `fa` nan where there is no pixel to divide by.
    """
    total = counts[list(COLUMNS[2:])].sum()
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
