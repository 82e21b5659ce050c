"""One image through one method to its map, mask and targets, as a run and a table take them.

The map is kept as float32, and the mask is what of that lies above the level of the rule: the
same pixels as those that `istsbench run` counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from istsbench.errors import MissingWeights, WrongUse
from istsbench.runs.scoring import checked, one_line
from istsbench.segmenter import HOME, Segmenter, Trainable, is_mask, named_rule, rule_for
from istsbench.side_effects import contained
from istsbench.threshold import (
    HALF,
    UNNAMED,
    AtLeast,
    Fixed,
    MeanStd,
    MeanToPeak,
    PeakRatio,
    Threshold,
)


def rule_named(text: str, method: Segmenter) -> Threshold | None:
    """The rule of `own`, `half`, or a level in the unit of the map; raises `WrongUse`.

    None is `own` of a method that names none: it is decided by each map.
    """
    if text == "own":
        return named_rule(method)
    if text == "half":
        return HALF
    try:
        level = float(text)
    except ValueError:
        level = math.nan
    if level < 0:
        raise WrongUse(
            f"the threshold is {text}, and no map has a value below 0, so that every pixel would "
            "exceed it; expected own, half, or a level of 0 or more, in the unit of the map"
        )
    if not math.isfinite(level):
        raise WrongUse(f"the threshold is {text!r}; expected own, half, or a level as 0.5")
    return Fixed(level)


def said(rule: Threshold | None) -> str:
    """A rule in words; of one of a plug-in its `repr`."""
    if rule is None:
        return f"{said(UNNAMED)}, masks of type bool as they are"
    if rule == HALF:
        return "half"
    match rule:
        case Fixed():
            return f"{rule.value:g}"
        case MeanStd():
            return f"mean + {rule.k:g} std"
        case AtLeast():
            return f"{said(rule.rule)}, at least {rule.floor:g}"
        case MeanToPeak():
            return f"mean + {rule.ratio:g} of the way to the highest value"
        case PeakRatio():
            return f"lowest + {rule.ratio:g} of the way to the highest value"
    return repr(rule)


def with_weights(method: Segmenter, device: str | None = None) -> tuple[Segmenter, str]:
    """The method ready for pictures of no data set, and what is to be said of its weights.

    A network without given weights has those of NUAA-SIRST. Raises `MissingWeights`.
    """
    if not isinstance(method, Trainable):
        return method, ""
    if device is not None and hasattr(method, "device"):
        changed: dict[str, Any] = {"device": device}
        method = replace(method, **changed)
    ready = method.pretrained(HOME)
    name, label = method.registered_name(), type(method).card.label
    if ready.weights is None:
        raise MissingWeights(
            f"{label} has no weights for NUAA-SIRST, which are the default for pictures without "
            f"labels; name a file by --set {name}.weights=FILE"
        )
    if method.weights is None:
        return ready, (
            f"{label}: weights of NUAA-SIRST, {ready.weights}; others by "
            f"--set {name}.weights=FILE; on pictures of another sensor look at some overlays first"
        )
    return ready, f"{label}: weights {ready.weights}"


@dataclass(frozen=True)
class Scored:
    """The map and the mask of one image."""

    map: np.ndarray  # float32 (H, W)
    mask: np.ndarray  # bool (H, W)
    level: float


def segmented(score: object, image: np.ndarray, named: Threshold | None) -> Scored:
    """From what a method returned for an image; raises `ValueError` if it breaks its promise.

    Without a rule that is named, the map decides: see `istsbench.segmenter.rule_for`.
    """
    stored, rule = checked(score, image), rule_for(named, is_mask(score))
    values = stored.astype(np.float64)
    level = float(rule.level(values))
    if math.isnan(level):
        raise ValueError(f"{rule!r} gives the level NaN, above which no score would lie")
    return Scored(stored, values > level, level)


def scored_or_why(
    method: Segmenter, rule: Threshold | None, images: Sequence[np.ndarray]
) -> list[Scored | str]:
    """Each image scored, or why it could not be; several at once where the method is faster so."""
    if method.batched and len(images) > 1:
        try:
            with contained():
                scores = list(method.score_many(images))
            pairs = zip(scores, images, strict=True)
            return [segmented(score, image, rule) for score, image in pairs]
        except (Exception, SystemExit):
            pass  # one by one, to see which it is
    return [_scored_or_why(method, rule, image) for image in images]


def _scored_or_why(method: Segmenter, rule: Threshold | None, image: np.ndarray) -> Scored | str:
    try:
        with contained():
            score = method.score(image)
        return segmented(score, image, rule)
    except (Exception, SystemExit) as error:
        return one_line(f"{type(error).__name__}: {error}")
