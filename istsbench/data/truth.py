"""From the picture of a mask to the mask, or a refusal.

A mask pixel is a target above half of full scale. A threshold is no guess only where the
levels leave no doubt, so what tools write in other ways is refused with what was found: 0 and
1, one level an instance, the target in the alpha channel, black targets on white.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.ndimage import label, maximum, minimum

from istsbench.data.images import Picture
from istsbench.errors import DataError

FAINT = 1 / 8  # of full scale: an uneven region that stays below is the noise of a lossy file
EVEN = 4  # pixels of one level that are a label and no noise
_SMALL = 64  # pixels of a picture in which a target may fill more than half
_EIGHT = np.ones((3, 3), int)


def target(picture: Picture, path: Path) -> tuple[np.ndarray, str]:
    """The mask, bool (H, W), and what had to be left out of it, empty if nothing.

    Raises `DataError` unless the levels tell what is a target.
    """
    levels, full = picture.pixels, _full(picture, path)
    mask = np.asarray(levels > full / 2)
    if picture.alpha is not None:
        _check_alpha(picture, mask, path)
    if levels.any() and not mask.any():
        raise DataError(
            f"{path}: no mask pixel is above half of full scale, the largest value is "
            f"{levels.max():g}; expected 0 and {full:g} ({_kept(picture)})"
        )
    if not mask.any():
        return mask, ""
    share = np.count_nonzero(mask) / mask.size
    if share > 0.5 and mask.size >= _SMALL:
        raise DataError(
            f"{path}: the mask covers {share:.0%} of the image: inverted? expected {full:g} on "
            "targets and 0 elsewhere"
        )
    return mask, _unsure(levels, full, path)


def _full(picture: Picture, path: Path) -> float:
    if picture.full is not None and picture.full[0] == 0:
        return picture.full[1]
    found = np.unique(picture.pixels)
    if len(found) <= 2 and found[0] == 0 and found[-1] in (0, 1, 255):
        return max(float(found[-1]), 1.0)
    named = ", ".join(f"{level:g}" for level in found[:4]) + (", ..." if len(found) > 4 else "")
    raise DataError(
        f"{path}: a mask of {picture.mode} with {len(found)} levels ({named}); expected 0 and 1, "
        "or 0 and 255"
    )


def _kept(picture: Picture) -> str:
    """How the file keeps its largest value: of a palette by an index, not by its colour."""
    if picture.stored is None:
        return f"mode {picture.mode}"
    index = picture.stored.flat[int(picture.pixels.argmax())]
    return f"mode {picture.mode}, palette index {index} in the file"


def _check_alpha(picture: Picture, mask: np.ndarray, path: Path) -> None:
    alpha = picture.alpha
    assert alpha is not None
    seen = alpha > alpha.max() / 2
    # Colour under full transparency means nothing: both must say the same of each pixel.
    if not np.array_equal(seen, mask):
        raise DataError(
            f"{path}: the alpha channel marks {np.count_nonzero(seen)} pixels and the grey levels "
            f"{np.count_nonzero(mask)}, not the same (mode {picture.mode}); expected targets in "
            "grey levels, 0 and 255, without alpha"
        )


def _unsure(levels: np.ndarray, full: float, path: Path) -> str:
    """What has to be said of the regions, each of pixels above 0, that are not plainly white."""
    if levels.dtype == np.uint8 and not ((levels > 0) & (levels < full)).any():
        return ""
    labels, count = label(levels > 0, structure=_EIGHT)
    numbers = range(1, count + 1)
    peaks = np.asarray(maximum(levels, labels, numbers))
    even = (peaks == minimum(levels, labels, numbers)) & (np.bincount(labels.flat)[1:] >= EVEN)
    low = peaks <= full / 2
    if (low & (even | (peaks > full * FAINT))).any():
        named = ", ".join(f"{level:g}" for level in np.unique(peaks)[:4])
        raise DataError(
            f"{path}: {np.count_nonzero(low)} of {count} regions of the mask reach no more than "
            f"{peaks[low].max():g} of {full:g} (regions of level {named}): one level an instance "
            f"or class? expected 0 and {full:g}, targets being what is above half"
        )
    told = []
    if low.any():
        many, most = np.count_nonzero(low), peaks[low].max()
        told.append(f"{many} specks of the mask, none above {most:g} of {full:g}, are background")
    if len(grey := np.unique(peaks[even & ~low & (peaks < full)])):
        named = ", ".join(f"{level:g}" for level in grey[:4])
        told.append(f"regions of the mask at level {named} of {full:g} count as targets")
    return "; ".join(told)
