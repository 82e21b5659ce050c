"""A close look at one pair of image and mask file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from istsbench.data.duplicates import thumbnail
from istsbench.data.findings import Finding
from istsbench.data.images import Picture, pixel_hash, read_file
from istsbench.data.manifest import Entry
from istsbench.data.samples import size_text
from istsbench.data.truth import target
from istsbench.errors import DataError

_MOST = 0.0005  # share of an image's pixels at either end that may be broken ones


@dataclass(frozen=True)
class PairInspection:
    """What a pair shows; all but the first two are None if a file cannot be read."""

    name: str
    findings: tuple[Finding, ...]
    image_mode: str | None = None
    mask_mode: str | None = None
    pixels: str | None = None  # hash of the image's grey pixels
    thumbnail: np.ndarray | None = None  # float32 (256,)
    levels: tuple[float, float, int] | None = None  # of a deep image: lowest, highest, how many


def inspect(
    name: str, image_path: Path, mask_path: Path, entry: Entry | None, resized: bool
) -> PairInspection:
    """Look at one pair; `entry` is what was published, `resized` whether a mask of another
    size is known and mended on loading."""
    damaged, pictures = [], []
    for path in (image_path, mask_path):
        try:
            pictures.append(read_file(path))
        except DataError as error:
            damaged.append(Finding("error", "damaged", name, str(error)))
    if damaged:
        return PairInspection(name, tuple(damaged))
    picture, truth = pictures
    image, mask = picture.pixels, truth.pixels
    found = [*_image(image), *_mask(truth, mask_path)]
    if image.shape != mask.shape:
        text = f"mask of {size_text(mask)} for an image of {size_text(image)}"
        if resized:
            found.append(("note", "size", f"{text}; resized by nearest neighbour on loading"))
        else:
            found.append(("error", "size", f"{text} ({mask_path}); expected the same size"))
    if entry is not None:
        found += _published(image, mask, entry)
    findings = tuple(Finding(level, check, name, text) for level, check, text in found)
    levels = None
    if picture.deep:
        levels = float(image.min()), float(image.max()), len(np.unique(image))
    modes = picture.mode, truth.mode
    return PairInspection(name, findings, *modes, pixel_hash(image), thumbnail(image), levels)


def _image(image: np.ndarray) -> Iterator[tuple[str, str, str]]:
    low, high = float(image.min()), float(image.max())
    if low == high:
        yield "warning", "constant", f"every pixel of the image is {low:g}"
    elif image.dtype != np.uint8:
        most = np.quantile(image, (_MOST, 1 - _MOST))
        if most[1] - most[0] < (high - low) / 8:
            text = (
                f"levels {low:.12g} to {high:.12g}, but all except {2 * _MOST:.1%} of the pixels "
                f"lie in {most[0]:.12g} to {most[1]:.12g}: few pixels set the scale of --depth "
                "image; give --depth LO:HI"
            )
            yield "warning", "depth", text


def _mask(truth: Picture, path: Path) -> Iterator[tuple[str, str, str]]:
    try:
        mask, _ = target(truth, path)
    except DataError as error:
        yield "error", "mask", str(error)
        return
    if not mask.any():
        yield "warning", "empty", "mask without a target"
        return
    white = truth.pixels.max() if truth.full is None else truth.full[1]
    between = (truth.pixels != 0) & (truth.pixels != white)
    if between.any():
        stray = truth.pixels[between]
        text = (
            f"{stray.size} mask pixels are neither 0 nor {white:g} but "
            f"{stray.min():g}..{stray.max():g}"
        )
        above = np.count_nonzero(mask & between)
        yield "warning", "values", f"{text}; {above} of them count as target"


def _published(image: np.ndarray, mask: np.ndarray, entry: Entry) -> Iterator[tuple[str, str, str]]:
    if image.shape != (entry.height, entry.width):
        text = f"image of {size_text(image)}, published with {entry.width}x{entry.height}"
        yield "error", "pixels", text
    elif pixel_hash(image) != entry.image:
        yield "error", "pixels", "the image's grey pixels are not the published ones"
    if pixel_hash(mask) != entry.mask:
        yield "error", "pixels", "the mask's pixels are not the published ones"
