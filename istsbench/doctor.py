"""The doctor: what is wrong with a data set on disk, all of it in one report.

An error makes scores wrong or impossible (a damaged file, a mask of another size, pixels
that are not the published ones); a warning is something to know before believing a score
(a mask without a target, one scene in training and test); a note states a fact. One bad
file never hides another: everything is looked at and every finding is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from istsbench.data import (
    HALF,
    NUAA_LISTS,
    NUAA_RESIZED,
    Dataset,
    locate,
    open_dataset,
    size_text,
)
from istsbench.duplicates import ALIKE, nearest, thumbnail
from istsbench.images import DataError, decode, picture_mode, pixel_hash
from istsbench.layouts import (
    NUST_DAMAGED,
    list_files,
    match,
    nust_training,
    picture_folders,
    pictures,
    read_list,
)
from istsbench.manifest import Entry, read_manifest

if TYPE_CHECKING:
    from rich.table import Table

LEVELS = ("error", "warning", "note")
SHOWN = 5  # findings of one kind that a rendered report spells out
DARK = 32  # a 16-bit picture this dark after conversion was not stored at full scale
NUST_SOURCE = (
    "a few test images are slightly coloured: luma is used here, the red channel by the "
    "official code",
    "test images that show scenes of NUAA-SIRST: 00029, 00030, 00032, 00033, 00035, 00040, "
    "00044, probably 00054; the two data sets are not independent",
)
SOURCE_NOTES: Mapping[str, tuple[str, ...]] = {
    "nust": NUST_SOURCE,
    "nust-paper": (
        *NUST_SOURCE,
        "the 80/20 division is drawn by us (seed 0), the paper's list is not published; patches "
        "cut from one source image stand on both sides",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One thing that was found."""

    level: str  # one of LEVELS
    check: str  # what was looked at: damaged, size, pixels, ...
    name: str  # the sample or file; empty for the data set as a whole
    text: str


@dataclass(frozen=True)
class Report:
    """All that was found in one data set."""

    dataset: str
    folder: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the data set can be used as it is."""
        return not any(finding.level == "error" for finding in self.findings)

    def groups(self) -> list[tuple[str, str, list[Finding]]]:
        """The findings as (level, check, findings), errors first."""
        found: dict[tuple[str, str], list[Finding]] = {}
        for finding in sorted(self.findings, key=lambda f: LEVELS.index(f.level)):
            found.setdefault((finding.level, finding.check), []).append(finding)
        return [(level, check, members) for (level, check), members in found.items()]

    def verdict(self) -> str:
        counts = Counter(finding.level for finding in self.findings)
        number = ", ".join(f"{counts[level]} {level}s" for level in LEVELS)
        return f"{self.dataset} in {self.folder}: {'sound' if self.ok else 'NOT SOUND'} ({number})"

    def text(self, shown: int = SHOWN) -> str:
        """The report as plain lines, at most `shown` findings of a kind."""
        lines = [self.verdict()]
        for level, check, members in self.groups():
            lines.append(f"{level}: {check} ({len(members)})")
            lines += [f"  {line}" for line in _spelt(members, shown)]
        return "\n".join(lines)

    def table(self, shown: int = SHOWN) -> Table:
        """The report as a table for the terminal."""
        from rich.table import Table
        from rich.text import Text

        table = Table("level", "check", "number", "what", title=Text(self.verdict()))
        colours = {"error": "red", "warning": "yellow", "note": "default"}
        for level, check, members in self.groups():
            what = Text("\n".join(_spelt(members, shown)))
            table.add_row(Text(level, colours[level]), check, str(len(members)), what)
        return table


def _spelt(members: list[Finding], shown: int) -> list[str]:
    lines = [f"{f.name}: {f.text}" if f.name else f.text for f in members[:shown]]
    return lines + ([f"and {len(members) - shown} more"] if len(members) > shown else [])


def verify(
    name: str,
    data_root: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Look at every file of a data set; `progress(done, all)` is told after each pair.

    Raises `UnknownName`, or `DataError` if there is no folder to look at.
    """
    if name == "synthetic":
        return _drawn(open_dataset(name))
    root = locate(name, data_root)
    findings = list(_notes(name, root))
    pairs = _pairs(name, root, findings)
    lists = _lists(name, root, pairs, findings)
    manifest = read_manifest(name)
    findings += _against(manifest, pairs, lists)

    seen = []
    for done, (sample, files) in enumerate(pairs.items(), start=1):
        look = _Look(sample, *files, manifest.get(sample), _resized(name))
        findings += look.findings
        if look.thumbnail is not None:
            seen.append(look)
        if progress:
            progress(done, len(pairs))

    findings += _modes(seen)
    findings += _division(name, data_root, seen, findings)
    return Report(name, str(root), tuple(findings))


def _resized(name: str) -> Mapping[str, str]:
    return NUAA_RESIZED if name == "nuaa" else {}


# ------------------------------------------------------------------ files that belong together


def _pairs(name: str, root: Path, findings: list[Finding]) -> dict[str, tuple[Path, Path]]:
    found: dict[str, tuple[Path, Path]] = {}
    folders, prefix = ("images", "masks"), ""
    try:
        if name.startswith("nust"):
            found, missing = nust_training(root)
            findings += [
                Finding("error", "pair", file, "is missing from its pair in training/")
                for file in missing
            ]
            folders, prefix = ("test_org", "test_gt"), "test_"
        elif name != "nuaa":
            folders = picture_folders(root)[:2]
        joined, alone, left = match(*(pictures(root / folder) for folder in folders))
    except DataError as error:
        findings.append(Finding("error", "folder", "", str(error)))
        return found
    findings += [Finding("error", "pair", str(path), "image without a mask") for path in alone]
    findings += [Finding("error", "pair", str(path), "mask without an image") for path in left]
    found |= {prefix + sample: files for sample, files in joined.items()}
    if not found:
        findings.append(Finding("error", "folder", str(root), "holds no pair of image and mask"))
    return found


def _lists(
    name: str, root: Path, pairs: Mapping[str, object], findings: list[Finding]
) -> dict[str, dict[str, tuple[str, ...]]]:
    """Folder of lists -> split -> names, as far as the lists can be read."""
    if name.startswith("nust"):
        return {}
    folders: tuple[str, ...] = NUAA_LISTS
    if name != "nuaa":
        try:
            folders = picture_folders(root)[2]
        except DataError:
            return {}
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for folder in folders:
        for split, path in list_files(root, folder).items():
            try:
                found.setdefault(folder, {})[split] = read_list(path, pairs)
            except DataError as error:
                findings.append(Finding("error", "list", "", str(error)))
    findings += _leaks(found)
    if not found and name != "nuaa":
        findings.append(Finding("note", "list", "", "no split lists: every image is a test image"))
    return found


def _leaks(lists: Mapping[str, Mapping[str, tuple[str, ...]]]) -> Iterator[Finding]:
    for folder, splits in lists.items():
        for one, other in (("train", "test"), ("val", "test"), ("trainval", "test"), ("train", "val")):
            for sample in sorted(set(splits.get(one, ())) & set(splits.get(other, ()))):
                yield Finding("error", "list", sample, f"in {one} and {other} of {folder}/")
    for one, other in permutations(lists, 2):
        learnt = {name for split in ("train", "val", "trainval") for name in lists[one].get(split, ())}
        tested = lists[other].get("test", ())
        if number := len(learnt.intersection(tested)):
            text = f"{number} of the {len(tested)} test images of {other}/ are trained on in {one}/"
            yield Finding("note", "list", "", text)


def _against(
    manifest: Mapping[str, Entry],
    pairs: Mapping[str, object],
    lists: Mapping[str, Mapping[str, tuple[str, ...]]],
) -> Iterator[Finding]:
    """Names and lists against the official ones."""
    if not manifest:
        yield Finding("note", "pixels", "", "no manifest: pixels are not compared with published ones")
        return
    yield Finding("note", "count", "", f"{len(pairs)} pairs, {len(manifest)} are published")
    for sample in sorted(set(manifest) - set(pairs)):
        yield Finding("error", "missing", sample, "no usable pair of image and mask")
    for sample in sorted(set(pairs) - set(manifest)):
        yield Finding("warning", "extra", sample, "not among the published samples")
    for folder in next(iter(manifest.values())).splits:
        if folder not in lists:
            yield Finding("warning", "list", folder, "the official lists are not here")
            continue
        for split in ("train", "val", "test"):
            official = {name for name, entry in manifest.items() if entry.splits[folder] == split}
            wrong = official ^ set(lists[folder].get(split, ()))
            if wrong:
                text = f"{len(wrong)} names differ from the official {split} list: {min(wrong)}, ..."
                yield Finding("error", "list", f"{folder}/{split}", text)


def _notes(name: str, root: Path) -> Iterator[Finding]:
    for text in SOURCE_NOTES.get(name, ()):
        yield Finding("note", "source", "", text)
    if name.startswith("nust"):
        for number in NUST_DAMAGED:
            if (root / "training" / f"{number:06d}_1.png").exists():
                text = "damaged at the source; left out"
                yield Finding("note", "source", f"{number:06d}", text)


# ------------------------------------------------------------------ one pair


class _Look:
    """What one pair of files shows. `thumbnail` is None if a file cannot be read."""

    def __init__(
        self,
        name: str,
        image_path: Path,
        mask_path: Path,
        entry: Entry | None,
        resized: Mapping[str, str],
    ) -> None:
        self.name = name
        self.findings: list[Finding] = []
        self.thumbnail: np.ndarray | None = None
        image, self.image_mode = self._read(image_path)
        mask, self.mask_mode = self._read(mask_path)
        if image is not None:
            self._image(image)
        if mask is not None:
            self._mask(mask)
        if image is None or mask is None:
            return
        self.thumbnail, self.pixels = thumbnail(image), pixel_hash(image)
        if image.shape != mask.shape:
            text = f"mask of {size_text(mask)} for an image of {size_text(image)}"
            if name in resized:
                self._add("note", "size", f"{text}; resized by nearest neighbour on loading")
            else:
                self._add("error", "size", f"{text} ({mask_path}); expected the same size")
        if entry is not None:
            self._published(image, mask, entry)

    def _add(self, level: str, check: str, text: str) -> None:
        self.findings.append(Finding(level, check, self.name, text))

    def _read(self, path: Path) -> tuple[np.ndarray | None, str]:
        try:
            data = path.read_bytes()
            return decode(data, path), picture_mode(data)
        except (DataError, OSError) as error:
            self._add("error", "damaged", str(error))
            return None, ""

    def _image(self, image: np.ndarray) -> None:
        if image.min() == image.max():
            self._add("warning", "constant", f"every pixel of the image is {image[0, 0]}")
        elif self.image_mode.startswith("I") and image.max() < DARK:
            text = f"16-bit image with nothing above {image.max()} of 255: kept at fewer bits?"
            self._add("warning", "mode", text)

    def _mask(self, mask: np.ndarray) -> None:
        share = np.count_nonzero(mask > HALF) / mask.size
        if mask.max() == 0:
            self._add("warning", "empty", "mask without a target")
        elif share == 0:
            text = f"no mask pixel is above half of full scale, the largest value is {mask.max()}"
            self._add("error", "empty", f"{text}; expected 0 and 255")
        elif share > 0.5:
            self._add("warning", "values", f"the mask covers {share:.0%} of the image: inverted?")
        stray = mask[(mask != 0) & (mask != 255)]
        if stray.size:
            text = f"{stray.size} mask pixels are neither 0 nor 255 but {stray.min()}..{stray.max()}"
            above = np.count_nonzero(stray > HALF)
            self._add("warning", "values", f"{text}; {above} of them count as target")

    def _published(self, image: np.ndarray, mask: np.ndarray, entry: Entry) -> None:
        if image.shape != (entry.height, entry.width):
            text = f"image of {size_text(image)}, published with {entry.width}x{entry.height}"
            self._add("error", "pixels", text)
        elif self.pixels != entry.image:
            self._add("error", "pixels", "the image's grey pixels are not the published ones")
        if pixel_hash(mask) != entry.mask:
            self._add("error", "pixels", "the mask's pixels are not the published ones")


def _modes(seen: list[_Look]) -> Iterator[Finding]:
    for what, modes in (
        ("images", Counter(look.image_mode for look in seen)),
        ("masks", Counter(look.mask_mode for look in seen)),
    ):
        if modes:
            text = ", ".join(f"{mode} {count}" for mode, count in modes.most_common())
            yield Finding("note", "mode", "", f"{what}: {text}")


# ------------------------------------------------------------------ pictures among each other


def _division(
    name: str, data_root: Path | None, seen: list[_Look], earlier: list[Finding]
) -> list[Finding]:
    """Sizes of the splits, and pictures that stand in two of them."""
    try:
        dataset = open_dataset(name, data_root)
    except DataError as error:
        said = any(f.level == "error" and f.check in ("folder", "pair", "list") for f in earlier)
        text = "splits are not compared with each other until the errors above are mended"
        findings = [] if said else [Finding("error", "folder", "", str(error))]
        return [*findings, Finding("note", "alike", "", text)]
    return [*_sizes(dataset), *_twice(dataset, {look.name: look.pixels for look in seen}),
            *_alike(dataset, {look.name: look for look in seen})]


def _sizes(dataset: Dataset) -> Iterator[Finding]:
    sizes = [f"{split} {len(dataset.names(split))}" for split in _parts(dataset)]
    yield Finding("note", "count", "", ", ".join(sizes))


def _parts(dataset: Dataset) -> list[str]:
    return [split for split in ("test", "val", "train") if split in dataset.splits]
