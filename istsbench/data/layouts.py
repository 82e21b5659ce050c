"""Which files of a folder belong together: pictures, pairs, split lists.

Pairs are found by name, never by listing order. Nothing is decoded here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from istsbench.errors import DataError

Lists = dict[str, dict[str, tuple[str, ...]]]  # folder of lists -> split -> names
Pairs = dict[str, tuple[Path, Path]]  # name -> image, mask
_KINDS = ("train", "val", "test", "trainval", "trainvaltest")
IMAGES = ("images", "image", "irstd1k_img")
MASKS = ("masks", "mask", "irstd1k_label")
_LIST = re.compile(r"(trainvaltest|trainval|train|val|test)(?:[_-](.+))?")

SUFFIXES = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff")
UNREAD = (
    ".gif", ".webp", ".jp2", ".j2k", ".jxl", ".avif", ".heic", ".pgm", ".ppm", ".pnm", ".pbm",
    ".tga", ".fits", ".fit", ".fts", ".npy", ".npz", ".mat", ".raw", ".dng", ".exr", ".hdr",
    ".sr", ".ras",
)  # fmt: skip
"""What may hold a picture as well; a set that is half of these must not shrink in silence."""
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
        if path.is_dir() and any(one.suffix.lower() in SUFFIXES for one in path.iterdir()):
            raise DataError(
                f"{path}: pictures in a folder below {folder.name}/ are not read; expected all of "
                f"them in {folder.name}/ itself, or {folder.parent.name}/train/{folder.name}/ and "
                f"{folder.parent.name}/test/{folder.name}/"
            )
        # A name with a leading dot is a trace of a file manager, not a picture.
        if path.name.startswith("."):
            continue
        if path.suffix.lower() in UNREAD:
            raise DataError(
                f"{path}: files of this kind are not read, and would be left out; save it as PNG "
                "or TIFF"
            )
        if path.suffix.lower() not in SUFFIXES:
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

    Letters are of any case. A file may carry a name, as train_NUDT-SIRST.txt: that of its
    folder or one of those that the data set is `called`. Of a folder that nobody publishes
    (`called` is empty) it may be any other name, if all lists carry it; lists of several
    names are refused by `DataError`, since one of them would have to be guessed.
    """
    named: dict[str, dict[str, Path]] = {}
    for path in sorted((root / folder).iterdir()):
        found = _LIST.fullmatch(path.stem.lower()) if path.suffix.lower() == ".txt" else None
        if found and not path.name.startswith("."):
            same = named.setdefault(found[2] or "", {})
            if found[1] in same:
                raise DataError(f"{path}: a second list of {found[1]} ({same[found[1]].name})")
            same[found[1]] = path
    known: dict[str, Path] = {}
    for name in ("", root.name.lower(), *(name.lower() for name in called)):
        known |= named.pop(name, {})
    if known or called or not named:
        return known
    if len(named) > 1:
        files = ", ".join(path.name for same in named.values() for path in same.values())
        raise DataError(
            f"{root / folder}: lists of {len(named)} names ({files}); which of them divides this "
            "folder? keep one train_X.txt and test_X.txt, or call them train.txt and test.txt"
        )
    return next(iter(named.values()))


def read_list(path: Path, known: Container[str]) -> tuple[str, ...]:
    """The names in a split list; a last line without an end counts as well."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a readable list of names ({error})") from error
    # A list made on Windows may hold paths with its sign between folders.
    lines = (Path(line.strip().replace("\\", "/")) for line in text.splitlines())
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


@dataclass(frozen=True)
class Found:
    """What a folder holds: pairs, and the lists that divide them, the default ones first."""

    pairs: Pairs
    lists: Lists
    notes: tuple[str, ...] = ()


def find(root: Path, called: Collection[str] = (), first: Sequence[str] = ()) -> Found:
    """Pairs and lists of a folder, laid out in one of the ways that docs/inputs.md names.

    `called` are the names of a published data set; `first` are folders of lists that come
    before all others. Raises `DataError` for what cannot be joined, and for lists that are
    there but divide nothing that is known.
    """
    parts = parted(root)
    if parts:
        return _parted(root, parts)
    images, masks, folders = picture_folders(root, called)
    pairs = pair(root, images, masks)
    lists: Lists = {}
    notes = []
    for folder in sorted(folders, key=lambda one: first.index(one) if one in first else len(first)):
        files = list_files(root, folder, called)
        if files:
            lists[folder] = {kind: read_list(path, pairs) for kind, path in files.items()}
        strange = [path for path in files.values() if not _is_own(path, root, called)]
        if strange:
            where = "" if folder == "." else f"{folder}/"
            notes.append(
                f"{root.name}: divided by {where}{', '.join(path.name for path in strange)}"
            )
    if not lists and not called:  # who opens a published set says which lists it needs
        _refuse_unread(root, folders, pairs)
    return Found(pairs, lists, tuple(notes))


def _is_own(path: Path, root: Path, called: Collection[str]) -> bool:
    found = _LIST.fullmatch(path.stem.lower())
    names = ("", root.name.lower(), *(name.lower() for name in called))
    return found is not None and (found[2] or "") in names


def _refuse_unread(root: Path, folders: Sequence[str], pairs: Container[str]) -> None:
    """Raise `DataError` if a file lists images and is none of the lists that are read."""
    unread = []
    for folder in folders:
        for path in sorted((root / folder).iterdir()):
            if path.suffix.lower() in (".txt", ".lst", ".csv", ".json") and _lists(path, pairs):
                unread.append(path)
    if unread:
        files = ", ".join(str(path.relative_to(root)) for path in unread)
        raise DataError(
            f"{root}: {files}: names of images, but not a division that is known; expected "
            "train.txt and test.txt, or train_X.txt and test_X.txt. Without one every image would "
            "be tested, those for training too; remove the lists if that is meant"
        )


def _lists(path: Path, pairs: Container[str]) -> bool:
    """Whether half of the words in a text file are names of images."""
    try:
        words = re.findall(r"[^\s,:;\"'\[\]{}]+", path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError):
        return False
    found = sum(Path(word).stem in pairs or Path(word).name in pairs for word in words)
    return 0 < found >= len(words) / 2


def parted(root: Path) -> dict[str, tuple[Path, Path]]:
    """Split -> folders of its images and masks, where each split has folders of its own."""
    below = sorted(path for path in root.iterdir() if path.is_dir())
    if any(path.name.lower() in IMAGES for path in below):
        return {}
    found = {}
    for path in below:
        inside = {one.name.lower(): one for one in path.iterdir() if one.is_dir()}
        images, masks = (
            next((inside[name] for name in names if name in inside), None)
            for names in (IMAGES, MASKS)
        )
        if path.name.lower() in _KINDS and images and masks:
            found[path.name.lower()] = (images, masks)
    return found


def _parted(root: Path, parts: Mapping[str, tuple[Path, Path]]) -> Found:
    pairs: Pairs = {}
    named: dict[str, tuple[str, ...]] = {}
    for kind, (images, masks) in parts.items():
        mine = pair(root, *(str(folder.relative_to(root)) for folder in (images, masks)))
        if both := pairs.keys() & mine.keys():
            raise DataError(
                f"{images.parent}: {len(both)} images are called as images of another part, the "
                f"first is {min(both)}; expected each image in one part"
            )
        pairs |= mine
        named[kind] = tuple(sorted(mine))
    return Found(pairs, {".": named})


def picture_folders(root: Path, called: Collection[str] = ()) -> tuple[str, str, tuple[str, ...]]:
    """The names of the image folder, the mask folder, and the folders that may hold lists.

    Lists may lie deeper than one folder below `root`: then the nearest folders that hold
    some are taken.
    """
    below = [path.name for path in sorted(root.iterdir()) if path.is_dir()]
    images = next((n for n in below if n.lower() in IMAGES), "images")
    masks = next((n for n in below if n.lower() in MASKS), "masks")
    for folder in (images, masks):
        if folder not in below:
            raise DataError(f"{root}: no folder {folder}/; found {', '.join(below) or 'nothing'}")
    near = [".", *(n for n in below if n not in (images, masks))]
    if not any(list_files(root, folder, called) for folder in near):
        near = [*near, *_nearest_lists(root, called, (images, masks))]
    return images, masks, tuple(sorted(near, key=_rank))


def _nearest_lists(root: Path, called: Collection[str], pictured: Collection[str]) -> list[str]:
    below = (Path(place, name) for place, names, _ in os.walk(root) for name in names)
    folders = [path.relative_to(root).as_posix() for path in below]
    found = [
        folder
        for folder in folders
        if "/" in folder
        and folder.partition("/")[0] not in pictured
        and list_files(root, folder, called)
    ]
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
