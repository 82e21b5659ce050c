"""A method on pictures without labels, from Python: `istsbench.apply`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from istsbench.arrays import grey_image
from istsbench.data.depth import OWN, Depth
from istsbench.data.frames import VIDEOS, find_sources, read_frames
from istsbench.data.images import Picture
from istsbench.data.pairs import SUFFIXES
from istsbench.errors import BrokenMethod, DataError, UnknownName, WrongUse
from istsbench.registry import Choice
from istsbench.runs.apply_outputs import MARKER
from istsbench.runs.handed_in import Method, chosen
from istsbench.runs.segmenting import rule_named, scored_or_why, with_weights
from istsbench.runs.targets import Segmented, as_table, targets_of
from istsbench.side_effects import one_thread
from istsbench.threshold import Threshold

_UNSCALED = (
    "expected grey levels 0..255; say how its levels come to these: depth='image' (its minimum "
    "and maximum), or two levels, depth='0:16383'"
)


@dataclass(frozen=True, repr=False)
class ApplyResult:
    """What a method found: maps, masks and targets, in the order of the images.

    `maps` are float32 (H, W), in the unit of the method, larger where a target is likelier;
    `masks` bool (H, W), True on targets; `frames` say of each its name and level,
    whether it was `deep`, and how many pixels beyond LO:HI were `cut` off.
    """

    method: str
    frames: tuple[Segmented, ...]
    maps: tuple[np.ndarray, ...]
    masks: tuple[np.ndarray, ...]

    def __repr__(self) -> str:
        targets = sum(len(frame.targets) for frame in self.frames)
        return f"ApplyResult(method={self.method!r}, images={len(self.frames)}, targets={targets})"

    @property
    def targets(self) -> pd.DataFrame:
        """A row a target: centroid (`row`, `column`) and box in pixels, `area` in pixels, `peak`
        and mean `score` of the map in it, the `level` that its pixels exceed."""
        return as_table(self.method, self.frames)

    @property
    def map(self) -> np.ndarray:
        """The map of the one image; raises `ValueError` if there are several."""
        return self._only(self.maps)

    @property
    def mask(self) -> np.ndarray:
        """The mask of the one image; raises `ValueError` if there are several."""
        return self._only(self.masks)

    def _only(self, of_each: Sequence[np.ndarray]) -> np.ndarray:
        if len(of_each) != 1:
            raise ValueError(f"there are {len(of_each)} images; use `maps`, `masks`")
        return of_each[0]


def apply(
    method: Method,
    images: Any,
    *,
    threshold: str | float | Threshold = "own",
    depth: str | None = None,
    device: str | None = None,
) -> ApplyResult:
    """Find targets in images without labels.

    `method` is a name, as `"tophat"` or `"ipi(step=15)"`, a `Segmenter`, or a function from
    image to map. `images` is one array (H, W), a path of a picture, a TIFF file of many pages, a
    video or a folder, or a list of such. `threshold` is `own`, `half`, a level in the unit of
    the map, or a rule. Networks have the weights of NUAA-SIRST unless theirs are named.

    Levels are grey levels 0..255. Integers deeper than uint8, and deep files, are brought to them
    by `depth`: `image` (each image's own minimum and maximum, the default), `full` (the scale of
    its type) or `LO:HI`. An array of floats is taken as it is, and scaled if `depth` is given.

    Raises `WrongUse` (a `ValueError`) for what is no method or no image, floats beyond 0..255
    without a `depth`, and a method that fails, `DataError` for a file that cannot be read.

    >>> import numpy as np
    >>> import istsbench
    >>> image = np.full((40, 50), 20.0)
    >>> image[10:12, 30:32] = 90
    >>> found = istsbench.apply("tophat", image)
    >>> int(found.mask.sum())
    4
    >>> found.targets[["row", "column", "area", "peak"]].values.tolist()
    [[10.5, 30.5, 4.0, 70.0]]
    """
    choices = _chosen(method)
    if len(choices) > 1:
        raise WrongUse(f"{method!r} names {len(choices)} methods, expected one")
    try:
        ready, _ = with_weights(choices[0].create(), device)
    except BrokenMethod as error:
        raise WrongUse(str(error)) from error
    rule = threshold if isinstance(threshold, Threshold) else rule_named(str(threshold), ready)
    frames, maps, masks = [], [], []
    with one_thread():
        for empty, image in _images(images, depth):
            (scored,) = scored_or_why(ready, rule, [image])
            if isinstance(scored, str):
                raise WrongUse(f"{choices[0].spec} failed on {empty.image}: {scored}")
            targets = targets_of(scored.map, scored.mask)
            frames.append(empty.filled(scored.level, float(scored.map.max()), targets))
            maps.append(scored.map)
            masks.append(scored.mask)
    return ApplyResult(choices[0].spec, tuple(frames), tuple(maps), tuple(masks))


def _chosen(method: Method) -> list[Choice]:
    """As `chosen`, with what may be expected here."""
    expected = (
        "expected istsbench.apply(method, images), the method a name as 'tophat', a text "
        "FILE.py:NAME, a Segmenter, or a function from image to map"
    )
    if isinstance(method, np.ndarray | list | tuple | PathLike):
        raise WrongUse(f"the method is of type {type(method).__name__}; {expected}")
    if isinstance(method, str) and Path(method).suffix.lower() in (*SUFFIXES, *VIDEOS):
        raise WrongUse(f"the method is {method!r}, a file of images; {expected}")
    try:
        return chosen(method)
    except UnknownName as error:
        raise WrongUse(f"{error}; {expected}") from error


def _images(images: Any, depth: str | None) -> Iterator[tuple[Segmented, np.ndarray]]:
    """What is known of each image, and its levels, float64 (H, W) of 0..255."""
    given = list(images) if isinstance(images, list | tuple) else [images]
    if not given:
        raise WrongUse("the list of images is empty; expected arrays (H, W) or paths")
    scale = Depth.read(depth or OWN)
    for number, one in enumerate(given):
        if not isinstance(one, str | PathLike):
            title = f"image {number}"
            image, deep, cut = _levels(one, title, depth)
            yield Segmented.empty(title, 0, title, image, deep, cut), image
            continue
        found = find_sources([Path(one)], MARKER)
        for path, why in found.refused.items():
            raise DataError(f"{path}: {why}")
        for source in found.sources:
            for frame, picture in read_frames(source, range(source.frames)):
                if isinstance(picture, DataError):
                    raise DataError(f"{source.label(frame)}: {picture}")
                image, cut = scale.scaled(picture, source.path)
                output = source.output(frame)
                yield Segmented.empty(source.title, frame, output, image, picture.deep, cut), image


def _levels(given: object, title: str, depth: str | None) -> tuple[np.ndarray, bool, int]:
    """An array as an image, whether it was scaled, and how many pixels were cut off by that.

    See `apply` for what its type decides.
    """
    try:
        values = grey_image(given)
        kind = np.asarray(given).dtype
    except ValueError as error:
        hint = "; a stack is given as a list of its images" if np.ndim(given) == 3 else ""  # type: ignore[arg-type]
        raise WrongUse(f"{title}: {error}{hint}") from error
    if kind == np.uint8:
        return values, False, 0
    low, high = float(values.min()), float(values.max())
    if kind.kind == "f" and depth is None:
        if low < 0 or high > 255:
            raise WrongUse(f"{title}: floats of {low:g}..{high:g}; {_UNSCALED}")
        if low < high <= 1:
            raise WrongUse(f"{title}: floats of {low:g}..{high:g} would all be black; {_UNSCALED}")
        return values, False, 0
    full = None
    if kind.kind != "f":
        full = float(np.iinfo(kind).min), float(np.iinfo(kind).max)
    # Of the values as they are: float64 holds every level that a sensor has.
    image, cut = Depth.read(depth or OWN).scaled(Picture(values, f"array of {kind}", full), title)
    return image, True, cut
