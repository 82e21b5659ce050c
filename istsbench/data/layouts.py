"""Which files of a folder belong together: pictures, pairs, split lists.

Pairs are found by name, never by listing order. Nothing is decoded here.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Container, Mapping
from pathlib import Path

from istsbench.errors import DataError

SUFFIXES = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff")
NUST_DAMAGED = (
    239, 245, 260, 264, 2543, 2553, 2561, 2808, 2817, 2819, 3503, 3504, 3947, 3949, 3962, 7389,
    7395, 8094, 8105, 8112, 8757, 8772,
)  # fmt: skip
"""Ids of NUST-SIRST that are damaged at the source and absent from usable copies."""


def pictures(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by name without suffix."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        # A name with a leading dot is a trace of a file manager, not a picture.
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in found:
            raise DataError(f"{path}: a second picture called {path.stem} ({found[path.stem]})")
        found[path.stem] = path
    return found


def match(
    images: Mapping[str, Path], masks: Mapping[str, Path]
) -> tuple[dict[str, tuple[Path, Path]], list[Path], list[Path]]:
    """Join by name; a mask may carry one of the published suffixes.

    Returns the pairs, the images without a mask, and the masks without an image.
    """
    pairs, alone, used = {}, [], set()
    for name, path in images.items():
        partner = next((n for n in (name, f"{name}_pixels0", f"{name}_mask") if n in masks), None)
        if partner is None:
            alone.append(path)
        else:
            pairs[name] = (path, masks[partner])
            used.add(partner)
    return pairs, alone, [path for name, path in masks.items() if name not in used]


def pair(root: Path, images: str, masks: str) -> dict[str, tuple[Path, Path]]:
    """Image and mask by name; raises `DataError` unless each has its partner."""
    found = pictures(root / images)
    if not found:
        raise DataError(f"{root / images}: no picture in the image folder")
    pairs, alone, left = match(found, pictures(root / masks))
    if alone:
        raise DataError(
            f"{alone[0]}: image without a mask ({len(alone)} such images); "
            f"expected {alone[0].stem}.png in {root / masks}"
        )
    if left:
        raise DataError(
            f"{left[0]}: mask without an image ({len(left)} such masks); "
            "expected one image for each mask"
        )
    return pairs


def list_files(root: Path, folder: str, called: Collection[str] = ()) -> dict[str, Path]:
    """The files of one folder that list the names of a split.

    A file may carry the name of the data set, as train_NUDT-SIRST.txt: that of its folder
    or, in letters of any case, one of those that it is `called`.
    """
    ends = {"", f"_{root.name}".lower(), *(f"_{name}".lower() for name in called)}
    found = {}
    for path in sorted((root / folder).glob("*.txt")):
        for kind in ("train", "val", "test", "trainval", "trainvaltest"):
            if path.stem.startswith(kind) and path.stem.removeprefix(kind).lower() in ends:
                found[kind] = path
    return found


def read_list(path: Path, known: Container[str]) -> tuple[str, ...]:
    """The names in a split list; a last line without an end counts as well."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a readable list of names ({error})") from error
    lines = (Path(line.strip()) for line in text.splitlines())
    names = tuple(
        line.stem if line.suffix.lower() in SUFFIXES else line.name for line in lines if line.name
    )
    missing = [name for name in names if name not in known]
    if missing:
        raise DataError(
            f"{path}: {len(missing)} of {len(names)} names have no image, the first is "
            f"{missing[0]!r}"
        )
    if len(set(names)) < len(names):
        raise DataError(f"{path}: {len(names) - len(set(names))} names stand twice")
    return names


def picture_folders(root: Path, called: Collection[str] = ()) -> tuple[str, str, tuple[str, ...]]:
    """The names of the image folder, the mask folder, and the folders that may hold lists.

    `called` are the names of a published data set, whose lists may lie deeper than one
    folder below `root`: then the nearest folders that hold some are taken.
    """
    below = [path.name for path in sorted(root.iterdir()) if path.is_dir()]
    images = next((n for n in below if n.lower() in ("images", "image", "irstd1k_img")), "images")
    masks = next((n for n in below if n.lower() in ("masks", "mask", "irstd1k_label")), "masks")
    for folder in (images, masks):
        if folder not in below:
            raise DataError(f"{root}: no folder {folder}/; found {', '.join(below) or 'nothing'}")
    near = [".", *(n for n in below if n not in (images, masks))]
    if called and not any(list_files(root, folder, called) for folder in near):
        near = _nearest_lists(root, called)
    return images, masks, tuple(sorted(near, key=_rank))


def _nearest_lists(root: Path, called: Collection[str]) -> list[str]:
    below = (Path(place, name) for place, names, _ in os.walk(root) for name in names)
    folders = [path.relative_to(root).as_posix() for path in below]
    found = [folder for folder in folders if list_files(root, folder, called)]
    least = min((folder.count("/") for folder in found), default=0)
    return [folder for folder in found if folder.count("/") == least]


def _rank(folder: str) -> tuple[bool, bool, str]:
    """The default lists are those beside the pictures, else the 50:50 division."""
    return folder != ".", not folder.rpartition("/")[2].startswith("50_50"), folder


def nust_training(root: Path) -> tuple[dict[str, tuple[Path, Path]], list[str]]:
    """The training pairs by id without the damaged ones, and the file names that miss."""
    training = pictures(root / "training")
    damaged = {f"{number:06d}" for number in NUST_DAMAGED}
    numbers = sorted({stem.rpartition("_")[0] for stem in training} - damaged)
    pairs, missing = {}, []
    for number in numbers:
        image, mask = (training.get(f"{number}_{part}") for part in (1, 2))
        if image is None or mask is None:
            missing.append(f"{number}_{1 if image is None else 2}.png")
        else:
            pairs[number] = (image, mask)
    return pairs, missing
