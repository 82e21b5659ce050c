"""The pictures of a folder, and image and mask joined by name. Nothing is decoded here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from istsbench.errors import DataError

Pairs = dict[str, tuple[Path, Path]]  # name -> image, mask
SUFFIXES = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff")
UNREAD = (
    ".gif", ".webp", ".jp2", ".j2k", ".jxl", ".avif", ".heic", ".pgm", ".ppm", ".pnm", ".pbm",
    ".tga", ".fits", ".fit", ".fts", ".npy", ".npz", ".mat", ".raw", ".dng", ".exr", ".hdr",
    ".sr", ".ras",
)  # fmt: skip
"""What may hold a picture as well; a set that is half of these must not shrink in silence."""
PARTNERS = ("", "_pixels0", "_mask", "_GT")  # what a mask's name may have behind its image's


def pictures(folder: Path) -> dict[str, Path]:
    """The pictures below a folder by name without ending; of a sub-folder, as SEQUENCE/NAME."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    found: dict[str, Path] = {}
    for path in files_below(folder):
        if path.suffix.lower() in UNREAD:
            raise DataError(
                f"{path}: files of this kind are not read, and would be left out; save it as PNG "
                "or TIFF"
            )
        if path.suffix.lower() not in SUFFIXES:
            continue
        name = path.relative_to(folder).with_name(path.stem).as_posix()
        if name in found:
            raise DataError(f"{path}: a second picture called {name} ({found[name]})")
        found[name] = path
    return found


def files_below(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """The files below a folder in order, through links but for those to a folder `above`."""
    here = folder.resolve()
    if here in above:
        return
    for path in sorted(folder.iterdir()):
        # A name with a leading dot is a trace of a file manager, not a picture.
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from files_below(path, (*above, here))
        else:
            yield path


def match(
    images: Mapping[str, Path], masks: Mapping[str, Path]
) -> tuple[Pairs, list[Path], list[Path]]:
    """Join by name; a mask may carry one of the published suffixes.

    Returns the pairs, the images without a mask, and the masks without an image.
    """
    pairs, alone, used = {}, [], set()
    for name, path in images.items():
        partner = next((name + end for end in PARTNERS if name + end in masks), None)
        if partner is None:
            alone.append(path)
        else:
            pairs[name] = (path, masks[partner])
            used.add(partner)
    return pairs, alone, [path for name, path in masks.items() if name not in used]


def pair(images: Path, masks: Path) -> Pairs:
    """Image and mask of two folders by name; raises `DataError` unless each has its partner."""
    found = pictures(images)
    if not found:
        raise DataError(f"{images}: no picture in the image folder")
    pairs, alone, left = match(found, pictures(masks))
    if alone:
        raise DataError(
            f"{alone[0]}: image without a mask ({len(alone)} such images); "
            f"expected {alone[0].relative_to(images).with_suffix('.png')} in {masks}"
        )
    if left:
        raise DataError(
            f"{left[0]}: mask without an image ({len(left)} such masks); "
            "expected one image for each mask"
        )
    return pairs
