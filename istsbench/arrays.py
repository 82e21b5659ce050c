"""What callers may hand in as a picture, a score map or a mask, and what is made of it.

numpy reads any array, but the libraries below it do not: OpenCV computes on swapped bytes
where the byte order is foreign, unsigned numbers wrap around, masked pixels count. So every
array is brought into one plain form before the first computation, or refused by `ValueError`,
which says what was found and what was expected.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

_FLOAT = np.dtype(np.float64)
_BOOL = np.dtype(bool)
LEVELS = 1, 255  # what marks a target in a mask of numbers


def picture(image: object) -> np.ndarray:
    """The image as every method gets it: as `grey_image` makes it, and read-only."""
    # A view, so that a method which writes to its image cannot change the caller's.
    seen = grey_image(image).view()
    seen.flags.writeable = False
    return seen


def grey_image(image: object) -> np.ndarray:
    """The image as float64 (H, W), C order, native bytes.

    Taken is what numpy reads as a 2-D array of integers or floating-point numbers: arrays of
    any type, byte order and strides, memory maps, nested lists, pictures of Pillow, tensors in
    the memory of the CPU. A float64 image in C order is passed on without a copy.

    Refused by `ValueError`: another number of dimensions, no pixel, NaN and infinite values,
    masked arrays, palette pictures, and every other type: complex, object, text, dates, and
    bool, which is the type of masks and not of grey levels.
    """
    if not _is_plain(image):
        image = _converted(image)
    assert isinstance(image, np.ndarray)
    if not np.isfinite(image).all():
        raise ValueError(f"the image has {_not_finite(image)}; expected finite grey levels")
    return image


def score_map(score: object) -> np.ndarray:
    """A score map as float64 of the same shape, native bytes; refused as `picture` refuses.

    Any shape is taken, and bool: the map of a method that answers by a mask.
    """
    return np.asarray(real_scores(score), dtype=np.float64)


def real_scores(score: object) -> np.ndarray:
    """As `score_map`, in the type and byte order of the caller: to be sorted, not computed with."""
    values = _real("the map", score, "biuf")
    if not values.size:
        raise ValueError(f"the map has no pixel, shape {values.shape}; expected at least one")
    if not np.isfinite(values).all():
        raise ValueError(f"the map has {_not_finite(values)}; expected finite scores")
    return values


def target_mask(mask: object, what: str = "the mask") -> np.ndarray:
    """A mask as bool, of the same shape; True on targets.

    Taken is bool, or numbers of two levels: 0 and 1, or 0 and 255. Other levels are refused
    by `ValueError`, since a threshold would have to be guessed.
    """
    values = _real(what, mask, "biuf")
    if values.dtype == _BOOL or not values.size:
        return values.astype(bool, copy=False)
    highest = values.max()
    if highest not in (0, *LEVELS) or not ((values == 0) | (values == highest)).all():
        levels = np.unique(values)
        named = ", ".join(f"{level:g}" for level in levels[:4])
        raise ValueError(
            f"{what} has {len(levels)} levels ({named}{', ...' if len(levels) > 4 else ''}), "
            "expected bool, or two levels: 0 and 1, or 0 and 255"
        )
    return np.asarray(values != 0)


def apart(result: Any, image: np.ndarray) -> Any:
    """What a method returned; a copy where it may lie in the memory of its image."""
    if isinstance(result, np.ndarray) and np.may_share_memory(result, image):
        return result.copy()
    return result


def _is_plain(image: object) -> bool:
    """Whether an image needs no conversion; the quick way for what runs hand in."""
    return (
        type(image) is np.ndarray
        and image.dtype == _FLOAT  # False for foreign bytes
        and image.ndim == 2
        and image.size > 0
        and image.strides == (8 * image.shape[1], 8)
        and image.flags.aligned
    )


def _converted(image: object) -> np.ndarray:
    values = _real("the image", image, "iuf")
    if values.ndim != 2:
        raise ValueError(
            f"the image has {values.ndim} dimensions, shape {values.shape}; "
            "expected 2: a grey image (height, width)"
        )
    if not values.size:
        raise ValueError(f"the image has no pixel, shape {values.shape}; expected at least one")
    with np.errstate(all="ignore"):  # what float64 cannot hold is infinite, and said below
        plain = np.array(values, dtype=np.float64, order="C")
    if not np.isfinite(plain).all() and np.isfinite(values).all():
        raise ValueError(
            f"the image has levels beyond the range of float64 ({values.dtype}, up to "
            f"{np.abs(values).max()!s}); expected finite grey levels"
        )
    return plain


def _real(what: str, given: object, kinds: str) -> np.ndarray:
    """What numpy reads as an array of real numbers; `kinds` are those of `numpy.dtype.kind`."""
    expected = "bool or real numbers" if "b" in kinds else "real numbers (integer or float)"
    parts = given if isinstance(given, list | tuple) else ()
    if isinstance(given, np.ma.MaskedArray) or any(
        isinstance(part, np.ma.MaskedArray) for part in parts
    ):
        raise ValueError(
            f"{what} is a masked array; expected a plain one: fill the masked pixels, as in "
            "`array.filled(0)`"
        )
    pillow = sys.modules.get("PIL.Image")  # imported already wherever a picture of it exists
    if pillow is not None and isinstance(given, pillow.Image) and given.mode in ("P", "PA"):
        raise ValueError(
            f"{what} is a palette picture (mode {given.mode}), whose pixels are indexes; "
            'expected grey levels: `picture.convert("L")`'
        )
    try:
        values = np.asarray(given)
    except Exception as error:
        raise ValueError(
            f"{what} is of type {_type(given)}, which numpy cannot read as one array "
            f"({error}); expected an array of {expected}"
        ) from error
    if values.dtype.kind not in kinds:
        found = f"an array of {values.dtype}"
        if not isinstance(given, np.ndarray):
            found = f"of type {_type(given)}, {found} for numpy"
        hint = " (of a mask, not of grey levels)" if values.dtype == _BOOL else ""
        raise ValueError(f"{what} is {found}{hint}; expected an array of {expected}")
    return values


def _type(given: object) -> str:
    kind = type(given)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _not_finite(values: np.ndarray) -> str:
    """Number, kind and first place of the values that are not finite."""
    missing = np.isnan(values)
    bad = ~np.isfinite(values)
    counts = {"NaN": int(missing.sum()), "infinite values": int((bad & ~missing).sum())}
    named = " and ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    first = tuple(int(index[0]) for index in np.nonzero(bad)) if values.ndim else ()
    return f"{named} among {values.size} values, the first at {first}"
