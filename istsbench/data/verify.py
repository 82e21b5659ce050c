"""The doctor: what is wrong with a data set, all of it in one report.

An error makes scores wrong or impossible (a damaged file, a mask of another size, pixels
that are not the published ones); a warning is something to know before believing a score
(a mask without a target, one scene in training and test); a note states a fact. One bad
file never hides another: everything is looked at and every finding is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import permutations
from pathlib import Path

import numpy as np

from istsbench.data.datasets import NUAA_RESIZED, SOURCES, WITH_NUAA, locate, open_dataset
from istsbench.data.duplicates import ALIKE, nearest, thumbnail
from istsbench.data.findings import Finding, Report
from istsbench.data.images import pixel_hash
from istsbench.data.inspection import PairInspection, inspect
from istsbench.data.layouts import (
    NUST_DAMAGED,
    PairFolders,
    find,
    list_folders,
    nust_training,
    pair_folders,
)
from istsbench.data.lists import Lists, list_files, read_list
from istsbench.data.manifest import OFFICIAL, Entry, read_manifest
from istsbench.data.pairs import Pairs, match, pictures
from istsbench.data.samples import Dataset
from istsbench.errors import DataError

PARTS = ("test", "val", "train")  # of the default division
NUST_SOURCE = (
    "a few test images are slightly coloured: luma is used here, the red channel by the "
    "official code",
    "test images 00029, 00030, 00032, 00033, 00035, 00040, 00044 and probably 00054 show scenes "
    "of NUAA-SIRST: the two data sets are not independent",
)
SOURCE_NOTES = {
    "nust": NUST_SOURCE,
    "nust-paper": (
        *NUST_SOURCE,
        "the 80/20 division is drawn here (seed 0), the paper's list is not published; patches "
        "cut from one source image stand on both sides",
    ),
}


def verify(
    name: str,
    data_root: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Look at every file of a data set; `progress(done, all)` is told after each pair.

    Raises `UnknownName`, or `DataError` if there is no folder to look at.
    """
    if name == "synthetic":
        return _verify_drawn(open_dataset(name))
    root = locate(name, data_root)
    findings = list(_source(name, root))
    pairs = _pairs(name, root, findings)
    lists = _lists(name, root, pairs, findings)
    manifest = read_manifest(name)
    findings += _official(manifest, pairs, lists)
    looks = []
    for sample, (image, mask) in pairs.items():
        resized = name in WITH_NUAA and sample in NUAA_RESIZED
        looks.append(inspect(sample, image, mask, manifest.get(sample), resized))
        findings += looks[-1].findings
        if progress:
            progress(len(looks), len(pairs))
    findings += [*_modes(looks), *_depths(looks)]
    try:
        dataset = open_dataset(name, data_root)
    except DataError as error:
        if not any(f.level == "error" and f.check in ("folder", "pair", "list") for f in findings):
            findings.append(Finding("error", "folder", "", str(error)))
        text = "the splits are not compared with each other until the errors above are mended"
        findings.append(Finding("note", "alike", "", text))
    else:
        findings += _between(dataset, looks)
    return Report(name, str(root), tuple(findings))


def _verify_drawn(dataset: Dataset) -> Report:
    """A data set that is no folder: its samples are drawn when asked for."""
    looks = []
    for sample in map(dataset.load, dataset.names("all")):
        grey = sample.image.astype(np.uint8)
        empty = () if sample.mask.any() else (Finding("error", "empty", sample.name, "no target"),)
        looks.append(
            PairInspection(sample.name, empty, "L", "1", pixel_hash(grey), thumbnail(grey))
        )
    findings = [finding for look in looks for finding in look.findings]
    return Report(dataset.name, "no folder", (*findings, *_between(dataset, looks)))


def _source(name: str, root: Path) -> Iterator[Finding]:
    for text in SOURCE_NOTES.get(name, ()):
        yield Finding("note", "source", "", text)
    if name in SOURCE_NOTES:
        for number in (f"{number:06d}" for number in NUST_DAMAGED):
            if (root / "training" / f"{number}_1.png").exists():
                yield Finding("note", "source", number, "damaged at the source; left out")


# ------------------------------------------------------------------ names and lists


def _pairs(name: str, root: Path, findings: list[Finding]) -> Pairs:
    """The files that can be joined; what cannot goes to the findings."""
    found: Pairs = {}
    try:
        if name in SOURCE_NOTES:
            found, missing = nust_training(root)
            for file in missing:
                findings.append(Finding("error", "pair", file, "missing from its pair in training"))
            parts = [PairFolders(root / "test_org", root / "test_gt", "test_")]
        else:
            parts = pair_folders(root)
        for part in parts:
            joined, alone, left = match(pictures(part.images), pictures(part.masks))
            for paths, text in (
                (alone, "image without a mask"),
                (left, "mask without an image"),
            ):
                findings += [Finding("error", "pair", str(path), text) for path in paths]
            found |= {part.prefix + sample: files for sample, files in joined.items()}
    except DataError as error:
        findings.append(Finding("error", "folder", "", str(error)))
        return found
    if not found:
        findings.append(Finding("error", "folder", str(root), "no pair of image and mask"))
    return found


def _lists(name: str, root: Path, pairs: Pairs, findings: list[Finding]) -> Lists:
    """The split lists that can be read; what is wrong with them goes to the findings."""
    if name in SOURCE_NOTES:
        return {}
    called = SOURCES[name].called if name in SOURCES else ()
    try:
        parts = pair_folders(root)
        if any(part.split for part in parts):
            return find(root).lists
        folders = list_folders(root, parts, called)
    except DataError:  # already among the findings
        return {}
    found: Lists = {}
    for folder in folders:
        try:
            files = list_files(root, folder, called)
        except DataError as error:
            findings.append(Finding("error", "list", "", str(error)))
            continue
        for split, path in files.items():
            try:
                found.setdefault(folder, {})[split] = read_list(path, pairs)
            except DataError as error:
                findings.append(Finding("error", "list", "", str(error)))
    if not found and name not in SOURCES:  # those without their lists cannot be opened
        findings.append(Finding("note", "list", "", "no split list: every image is a test image"))
    findings += _overlaps(found)
    return found


def _overlaps(lists: Lists) -> Iterator[Finding]:
    for folder, splits in lists.items():
        for one, other in (
            ("train", "test"),
            ("trainval", "test"),
            ("val", "test"),
            ("train", "val"),
        ):
            for sample in sorted(set(splits.get(one, ())) & set(splits.get(other, ()))):
                yield Finding("error", "list", sample, f"in both {one} and {other} of {folder}")
    for one, other in permutations(lists, 2):
        learnt = {s for split in ("train", "val", "trainval") for s in lists[one].get(split, ())}
        tested = lists[other].get("test", ())
        both = len(learnt.intersection(tested))
        if both:
            text = f"{both} of {len(tested)} test images of {other} are for training in {one}"
            yield Finding("note", "list", "", text)


def _official(manifest: Mapping[str, Entry], pairs: Pairs, lists: Lists) -> Iterator[Finding]:
    """Names and lists against the published ones."""
    if not manifest:
        text = "no manifest of this data set: pixels are not compared with published ones"
        yield Finding("note", "pixels", "", text)
        return
    yield Finding("note", "count", "", f"{len(pairs)} pairs, {len(manifest)} are published")
    for sample in sorted(set(manifest) - set(pairs)):
        yield Finding("error", "missing", sample, "no pair of image and mask")
    for sample in sorted(set(pairs) - set(manifest)):
        yield Finding("warning", "extra", sample, "not among the published samples")
    for folder in next(iter(manifest.values())).splits:
        if folder not in lists:
            text = "the official lists are not here; they are shipped, as splits of this name"
            yield Finding("warning", "list", folder, text)
        for split, names in lists.get(folder, {}).items():
            official = {s for s, entry in manifest.items() if entry.splits[folder] == split}
            wrong = official ^ set(names)
            if split in OFFICIAL and wrong:
                text = (
                    f"{len(wrong)} names differ from the official list, the first is {min(wrong)}"
                )
                yield Finding("error", "list", f"{folder}/{split}", text)


def _modes(looks: list[PairInspection]) -> Iterator[Finding]:
    for what, modes in (
        ("images", Counter(look.image_mode for look in looks if look.image_mode)),
        ("masks", Counter(look.mask_mode for look in looks if look.mask_mode)),
    ):
        text = ", ".join(f"{mode} {count}" for mode, count in modes.most_common())
        yield Finding("note", "mode", "", f"{what}: {text or 'none is readable'}")


def _depths(looks: list[PairInspection]) -> Iterator[Finding]:
    """Range and number of levels of the images that are deeper than 8 bit."""
    deep = [(look.image_mode, *look.levels) for look in looks if look.levels is not None]
    if not deep:
        return
    modes, lows, highs, numbers = zip(*deep, strict=True)
    kinds = ", ".join(sorted({str(mode) for mode in modes}))
    text = (
        f"{len(deep)} of {len(looks)} images are deeper than 8 bit ({kinds}): levels "
        f"{min(lows):.12g} to {max(highs):.12g}, {min(numbers)} to {max(numbers)} distinct ones "
        "an image; --depth of a run says how they come to 0..255"
    )
    yield Finding("note", "depth", "", text)


# ------------------------------------------------------------------ images among each other


def _between(dataset: Dataset, looks: list[PairInspection]) -> Iterator[Finding]:
    """Sizes of the default division, and scenes that appear twice."""
    splits = {split: dataset.names(split) for split in PARTS if split in dataset.splits}
    sizes = ", ".join(f"{split} {len(names)}" for split, names in splits.items())
    yield Finding("note", "count", "", sizes)
    known = {look.name: look for look in looks if look.thumbnail is not None}
    yield from _identical(splits, known)
    for one, other, level in (
        ("test", "train", "warning"),
        ("test", "val", "warning"),
        ("val", "train", "note"),
    ):
        these = [known[name] for name in splits.get(one, ()) if name in known]
        those = [known[name] for name in splits.get(other, ()) if name in known]
        if these and those:
            yield from _alike(these, those, other, level)


def _identical(
    splits: Mapping[str, tuple[str, ...]], known: Mapping[str, PairInspection]
) -> Iterator[Finding]:
    home = {name: split for split, names in splits.items() for name in names}
    same: dict[str | None, list[str]] = {}
    for look in known.values():
        same.setdefault(look.pixels, []).append(look.name)
    for first, *others in (names for names in same.values() if len(names) > 1):
        level = "warning" if len({home.get(name) for name in (first, *others)}) > 1 else "note"
        places = ", ".join(f"{name} ({home.get(name, 'no split')})" for name in others)
        text = f"({home.get(first, 'no split')}) has the pixels of {places}"
        yield Finding(level, "identical", first, text)


def _alike(
    these: list[PairInspection], those: list[PairInspection], where: str, level: str
) -> Iterator[Finding]:
    indices, likenesses = nearest(_stacked(these), _stacked(those))
    for look, index, likeness in zip(these, indices, likenesses, strict=True):
        other = those[index]
        if likeness > ALIKE and look.pixels != other.pixels:
            text = f"looks like {other.name} in {where} (thumbnail correlation {likeness:.3f})"
            yield Finding(level, "alike", look.name, text)


def _stacked(looks: list[PairInspection]) -> np.ndarray:
    return np.stack([look.thumbnail for look in looks if look.thumbnail is not None])
