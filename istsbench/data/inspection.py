"""A close look at one pair of image and mask file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from istsbench.data.datasets import HALF, size_text
from istsbench.data.duplicates import thumbnail
from istsbench.data.findings import Finding
from istsbench.data.images import decode, picture_mode, pixel_hash
from istsbench.data.manifest import Entry
from istsbench.errors import DataError

DARK = 32  # a 16-bit image without a brighter pixel was hardly stored at full scale


@dataclass(frozen=True)
class Look:
    """What a pair shows; the last four are None if a file cannot be read."""

    name: str
    findings: tuple[Finding, ...]
    image_mode: str | None = None
    mask_mode: str | None = None
    pixels: str | None = None  # hash of the image's grey pixels
    thumbnail: np.ndarray | None = None  # float32 (256,)


def inspect(
    name: str, image_path: Path, mask_path: Path, entry: Entry | None, resized: bool
) -> Look:
    """Look at one pair; `entry` is what was published, `resized` whether a mask of another
    size is known and mended on loading."""
    damaged, pictures, modes = [], [], []
    for path in (image_path, mask_path):
        try:
            data = path.read_bytes()
            pictures.append(decode(data, path))
            modes.append(picture_mode(data))
        except (DataError, OSError) as error:
            damaged.append(Finding("error", "damaged", name, str(error)))
    if damaged:
        return Look(name, tuple(damaged))
    image, mask = pictures
    found = [*_image(image, modes[0]), *_mask(mask)]
    if image.shape != mask.shape:
        text = f"mask of {size_text(mask)} for an image of {size_text(image)}"
        if resized:
            found.append(("note", "size", f"{text}; resized by nearest neighbour on loading"))
        else:
            found.append(("error", "size", f"{text} ({mask_path}); expected the same size"))
    if entry is not None:
        found += _published(image, mask, entry)
    findings = tuple(Finding(level, check, name, text) for level, check, text in found)
    return Look(name, findings, modes[0], modes[1], pixel_hash(image), thumbnail(image))


def _image(image: np.ndarray, mode: str) -> Iterator[tuple[str, str, str]]:
    if image.min() == image.max():
        yield "warning", "constant", f"every pixel of the image is {image[0, 0]}"
    elif mode.startswith("I") and image.max() < DARK:
        text = f"16-bit image with nothing above {image.max()} of 255: kept at fewer bits?"
        yield "warning", "mode", text


def _mask(mask: np.ndarray) -> Iterator[tuple[str, str, str]]:
    share = np.count_nonzero(mask > HALF) / mask.size
    if mask.max() == 0:
        yield "warning", "empty", "mask without a target"
    elif share == 0:
        text = f"no mask pixel is above half of full scale, the largest value is {mask.max()}"
        yield "error", "empty", f"{text}; expected 0 and 255"
    elif share > 0.5:
        yield "warning", "values", f"the mask covers {share:.0%} of the image: inverted?"
    stray = mask[(mask != 0) & (mask != 255)]
    if stray.size and share:
        text = f"{stray.size} mask pixels are neither 0 nor 255 but {stray.min()}..{stray.max()}"
        above = np.count_nonzero(stray > HALF)
        yield "warning", "values", f"{text}; {above} of them count as target"


def _published(image: np.ndarray, mask: np.ndarray, entry: Entry) -> Iterator[tuple[str, str, str]]:
    if image.shape != (entry.height, entry.width):
        text = f"image of {size_text(image)}, published with {entry.width}x{entry.height}"
        yield "error", "pixels", text
    elif pixel_hash(image) != entry.image:
        yield "error", "pixels", "the image's grey pixels are not the published ones"
    if pixel_hash(mask) != entry.mask:
        yield "error", "pixels", "the mask's pixels are not the published ones"
