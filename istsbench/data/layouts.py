"""How the folder of a data set is laid out: where its pairs lie, and the lists that divide them.

Pairs are found by name, never by listing order. Nothing is decoded here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from istsbench.data.lists import (
    KINDS,
    Lists,
    bears_a_known_name,
    list_files,
    nearest_lists,
    read_list,
    refuse_unread,
)
from istsbench.data.pairs import Pairs, pair, pictures
from istsbench.errors import DataError

IMAGES = ("images", "image", "irstd1k_img", "mixed", "pngimages")
MASKS = ("masks", "mask", "irstd1k_label", "binarymask")
NUST_DAMAGED = (
    239, 245, 260, 264, 2543, 2553, 2561, 2808, 2817, 2819, 3503, 3504, 3947, 3949, 3962, 7389,
    7395, 8094, 8105, 8112, 8757, 8772,
)  # fmt: skip
"""Ids of NUST-SIRST that are damaged at the source and absent from usable copies."""


@dataclass(frozen=True)
class Found:
    """What a folder holds: pairs, and the lists that divide them, the default ones first."""

    pairs: Pairs
    lists: Lists
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PairFolders:
    """A folder of images and one of their masks."""

    images: Path
    masks: Path
    prefix: str = ""  # of the names of samples
    split: str = ""  # if the folder is one of a division


def find(root: Path, called: Collection[str] = (), first: Sequence[str] = ()) -> Found:
    """Pairs and lists of a folder, laid out in one of the ways that docs/inputs.md names.

    `called` are the names of a published data set and of its lists; `first` are folders of
    lists that come before all others. Raises `DataError` for what cannot be joined, and for
    lists that are there but divide nothing that is known.
    """
    parts = pair_folders(root)
    pairs: Pairs = {}
    named: dict[str, tuple[str, ...]] = {}
    for part in parts:
        mine = {part.prefix + name: files for name, files in pair(part.images, part.masks).items()}
        pairs |= mine
        if part.split:
            named[part.split] = tuple(sorted(mine))
    if named:
        return Found(pairs, {".": named}, tuple(_renamed(root, parts)))
    lists: Lists = {}
    notes = []
    folders = list_folders(root, parts, called)
    for folder in sorted(folders, key=lambda one: first.index(one) if one in first else len(first)):
        files = list_files(root, folder, called)
        if files:
            lists[folder] = {kind: read_list(path, pairs) for kind, path in files.items()}
        strange = [path for path in files.values() if not bears_a_known_name(path, root, called)]
        if strange:
            where = "" if folder == "." else f"{folder}/"
            notes.append(
                f"{root.name}: divided by {where}{', '.join(path.name for path in strange)}"
            )
    if not lists and not called:  # who opens a published set says which lists it needs
        refuse_unread(root, folders, pairs)
    return Found(pairs, lists, tuple(notes))


def pair_folders(root: Path) -> list[PairFolders]:
    """Where the pairs of a folder lie; raises `DataError` if that cannot be told.

    Folders of images and masks in `root`; or such a pair of folders in each of train, val,
    test and trainval; or in each of several sequences.
    """
    below = sorted(path for path in root.iterdir() if path.is_dir())
    inside = {} if any(path.name.lower() in IMAGES for path in below) else _inside(below)
    splits = [name for name in inside if name.lower() in KINDS]
    if splits and len(splits) < len(inside):
        others = ", ".join(sorted({*inside} - {*splits}))
        raise DataError(
            f"{root}: images in {', '.join(splits)} and in {others}, which is no part of a "
            "division; expected train, val, test and trainval alone, or none of them"
        )
    if splits:
        prefixed = _names_repeat(root, {name: inside[name][0] for name in splits})
        return [
            PairFolders(*inside[name], f"{name.lower()}/" if prefixed else "", name.lower())
            for name in splits
        ]
    if inside:
        return [PairFolders(*folders, f"{name}/") for name, folders in inside.items()]
    return [_one_pair(root, below)]


def _inside(below: Sequence[Path]) -> dict[str, tuple[Path, Path]]:
    """Folder -> its folders of images and of masks, for those that have both."""
    found = {}
    for path in below:
        folders = {one.name.lower(): one for one in path.iterdir() if one.is_dir()}
        images, masks = (
            next((folders[name] for name in names if name in folders), None)
            for names in (IMAGES, MASKS)
        )
        if images and masks:
            found[path.name] = (images, masks)
    return found


def _one_pair(root: Path, below: Sequence[Path]) -> PairFolders:
    images = next((path for path in below if path.name.lower() in IMAGES), None)
    masks = [path for path in below if path.name.lower() in MASKS]
    if not masks:  # as annotations/masks
        deeper = [one for path in below if path != images for one in sorted(path.iterdir())]
        masks = [path for path in deeper if path.is_dir() and path.name.lower() in MASKS]
    there = ", ".join(path.name for path in below) or "nothing"
    if images is None:
        raise DataError(f"{root}: no folder images/; found {there}")
    if len(masks) != 1 and not any(path.parent == root for path in masks):
        found = ", ".join(str(path.relative_to(root)) for path in masks) or there
        raise DataError(f"{root}: no folder masks/; found {found}")
    return PairFolders(images, masks[0])


def _names_repeat(root: Path, parts: dict[str, Path]) -> bool:
    """Whether one name stands in two parts, for images that differ.

    Raises `DataError` if it is one image: it would be trained on and tested.
    """
    where: dict[str, Path] = {}
    repeated = 0
    for folder in parts.values():
        for name, path in pictures(folder).items():
            other = where.setdefault(name, path)
            if other is path:
                continue
            repeated += 1
            if path.stat().st_size == other.stat().st_size:
                if path.read_bytes() == other.read_bytes():
                    raise DataError(
                        f"{path}: the same image as {other}, in another part of {root.name}; "
                        "expected each image in one part"
                    )
    return repeated > 0


def _renamed(root: Path, parts: Sequence[PairFolders]) -> Iterator[str]:
    if any(part.prefix for part in parts):
        yield f"{root.name}: images of two parts have one name, so they are called PART/NAME"


def list_folders(
    root: Path, parts: Sequence[PairFolders], called: Collection[str]
) -> tuple[str, ...]:
    """The folders that may hold lists, the default ones first; none beside parts of a division.

    Lists may lie deeper than one folder below `root`: then the nearest folders that hold
    some are taken.
    """
    if any(part.split for part in parts):
        return ()
    pictured = {path.relative_to(root).as_posix() for p in parts for path in (p.images, p.masks)}
    below = [path.name for path in sorted(root.iterdir()) if path.is_dir()]
    near = [".", *(name for name in below if name not in pictured)]
    if not any(list_files(root, folder, called) for folder in near):
        near = [*near, *nearest_lists(root, called, pictured)]
    return tuple(sorted(near, key=_rank))


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
