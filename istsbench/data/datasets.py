"""The data sets: names, splits, and pairs of image and mask.

A sample's image is float64 (H, W) with grey levels 0..255, its mask bool (H, W) of the
same size. Pairs are found by name, never by listing order; what is wrong with a folder
or a file is said with what was found and what was expected.

`nuaa` is NUAA-SIRST (Dai et al., WACV 2021), `nust` and `nust-paper` are NUST-SIRST
(Wang et al., ICCV 2019) in the official division and in one like pixelGame's,
`synthetic` needs no file, `nudt` and `irstd1k` are read in their published folders by
their published lists, and `folder:PATH` is any folder of images and masks. Which layouts of
folders, files and lists are read stands in docs/inputs.md.
"""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np

from istsbench.arrays import grey_image, target_mask
from istsbench.data.depth import OWN, Depth
from istsbench.data.images import pixel_hash, read_file
from istsbench.data.layouts import Found, find, nust_training, pair
from istsbench.data.names import FOLDER, quoted
from istsbench.data.truth import target
from istsbench.errors import DataError, DataGone, UnknownName, WrongUse

VALIDATION = 200  # images set aside for tuning where a data set has no validation list
NUAA_LISTS = ("idx_427", "idx_320", "50_50")  # the first that is there is the default
NUAA_RESIZED = {"Misc_111": "the published mask is 592x400 for an image of 325x220"}


@dataclass(frozen=True)
class Sample:
    """One image with its truth; `notes` say what had to be mended to load it."""

    name: str
    image: np.ndarray  # float64 (H, W), 0..255
    mask: np.ndarray  # bool (H, W)
    notes: tuple[str, ...] = ()
    depth: str = ""  # how a picture deeper than 8 bit was brought to 0..255
    cut: int = 0  # pixels beyond the levels of such a depth

    def __post_init__(self) -> None:
        """Make plain what a data set hands in; `DataError` for what is no image and its mask."""
        try:
            image, mask = grey_image(self.image), target_mask(self.mask)
        except ValueError as error:
            raise DataError(f"{self.name}: {error}") from error
        if image.shape != mask.shape:
            raise DataError(f"{self.name}: mask of {mask.shape} for an image of {image.shape}")
        object.__setattr__(self, "image", image)
        object.__setattr__(self, "mask", mask)

    @property
    def pixels(self) -> str:
        """Hash of the image's grey pixels and the mask as used."""
        return pixel_hash(self.image) + pixel_hash(self.mask)

    @property
    def picture(self) -> str:
        """Hash of the image's grey pixels alone: the same whatever its mask and its name."""
        return picture_of(self.pixels)


def picture_of(pixels: str) -> str:
    """The part of `Sample.pixels` that is the image's."""
    return pixels[: len(pixels) // 2]


@dataclass(frozen=True)
class Dataset(ABC):
    """Samples by name, and named splits of the names."""

    name: str
    title: str
    splits: Mapping[str, tuple[str, ...]]
    depth: Depth = field(default=Depth(), kw_only=True)  # of pictures deeper than 8 bit
    notes: tuple[str, ...] = field(default=(), kw_only=True)  # what tables have to say of it

    @property
    def address(self) -> str:
        """How a command line names it, as `run --dataset` takes it."""
        return self.name

    @abstractmethod
    def load(self, name: str) -> Sample:
        """Decode one sample; raises `DataError` if it is damaged, `DataGone` if all are gone."""

    def names(self, split: str = "test") -> tuple[str, ...]:
        """The sample names of a split; `trainval` is train and val where no list says more,
        `all` every name of any split."""
        if split in self.splits:
            return self.splits[split]
        if split == "all":
            return tuple(dict.fromkeys(name for part in self.splits.values() for name in part))
        if split == "trainval" and "train" in self.splits:
            return self.splits["train"] + self.splits.get("val", ())
        raise UnknownName(f"split of {self.name}", split, sorted(self.splits))

    def subset(self, names: Iterable[str]) -> Self:
        """The same data set with only these samples; small to send to another process."""
        wanted = set(names)
        splits = {
            split: tuple(name for name in members if name in wanted)
            for split, members in self.splits.items()
        }
        return replace(self, splits=splits)

    def tuning_names(self, split: str = "test") -> tuple[str, ...]:
        """What thresholds may be tuned on and epochs chosen on when `split` is scored.

        Validation images, else training images: for LIST/test those of LIST, else those of the
        default lists. Raises `DataError` if there are none, `WrongUse` if some are scored.
        """
        lists = split[: split.rfind("/") + 1]
        for key in (f"{lists}val", f"{lists}train", "val", "train"):
            if self.splits.get(key):
                break
        else:
            raise DataError(
                f"data set {self.name} has neither a validation nor a training split "
                f"(it has: {', '.join(self.splits)}), so nothing can be tuned on it"
            )
        found = self.splits[key][:VALIDATION]
        # A folder to train on need not have test images.
        scored = () if split == "test" and split not in self.splits else self.names(split)
        if both := set(found).intersection(scored):
            raise WrongUse(
                f"{len(both)} of {len(found)} images of {key}, on which something would be "
                f"chosen, are in the split {split} of {self.name} that is scored, the first is "
                f"{min(both)}; expected none in both: only `oracle` may look at scored images"
            )
        return found

    def learnt(self, split: str) -> tuple[str, ...]:
        """The images of a split that are for training or validation in the default lists.

        Published weights and calibrated thresholds have seen them.
        """
        parts = (self.splits.get(part, ()) for part in ("train", "val", "trainval"))
        seen = {name for part in parts for name in part}
        return tuple(name for name in self.names(split) if name in seen)


@dataclass(frozen=True)
class FolderDataset(Dataset):
    """A data set on disk."""

    root: Path = Path()
    pairs: Mapping[str, tuple[Path, Path]] = field(default_factory=dict)
    fixes: Mapping[str, str] = field(default_factory=dict)  # name -> why its mask is resized

    @property
    def address(self) -> str:
        return quoted(f"{FOLDER}{self.root}") if self.name.startswith("folder-") else self.name

    def subset(self, names: Iterable[str]) -> Self:
        kept = {name: self.pairs[name] for name in names}
        return replace(super().subset(kept), pairs=kept)

    def load(self, name: str) -> Sample:
        if name not in self.pairs:
            raise DataError(f"{self.root}: no image and mask called {name!r}")
        image_path, mask_path = self.pairs[name]
        try:
            picture, truth = read_file(image_path), read_file(mask_path)
        except DataError as error:
            for folder in (image_path.parent, mask_path.parent):
                if not os.path.isdir(folder):  # False also where the disk does not answer
                    raise DataGone(f"{folder}: the folder is gone, {name} was asked for") from error
            raise
        image, cut = self.depth.scaled(picture, image_path)
        if picture.alpha is not None and image.min() == image.max():
            raise DataError(
                f"{image_path}: every pixel is {picture.pixels[0, 0]:g} and only the alpha channel "
                f"varies (mode {picture.mode}); expected an image of grey levels"
            )
        mask, left_out = target(truth, mask_path)
        notes = [f"{name}: {left_out}"] if left_out else []
        if image.shape != mask.shape:
            if name not in self.fixes:
                raise DataError(
                    f"{mask_path}: mask of {size_text(mask)} for an image of {size_text(image)} "
                    f"({image_path.name}); expected the same size"
                )
            sizes = f"{size_text(mask)} resized to {size_text(image)}"
            notes.append(f"{name}: mask {sizes} by nearest neighbour")
            mask = _nearest(mask, image.shape)
        return Sample(name, image, mask, tuple(notes), str(self.depth) if picture.deep else "", cut)


def size_text(pixels: np.ndarray) -> str:
    """Width x height, as people write the size of a picture."""
    return f"{pixels.shape[1]}x{pixels.shape[0]}"


def _nearest(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    rows = (np.arange(shape[0]) + 0.5) * mask.shape[0] / shape[0]
    columns = (np.arange(shape[1]) + 0.5) * mask.shape[1] / shape[1]
    return mask[np.ix_(rows.astype(int), columns.astype(int))]


def fingerprint(samples: Iterable[tuple[str, str]]) -> str:
    """One hash of many (name, pixels) pairs, independent of their order."""
    lines = sorted(f"{name} {pixels}\n" for name, pixels in samples)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def set_aside(names: tuple[str, ...], number: int, seed: int = 0) -> tuple[tuple[str, ...], ...]:
    """Divide names at random into (the rest, `number` of them), both sorted."""
    chosen = np.random.default_rng(seed).permutation(len(names))[:number]
    aside = {names[index] for index in chosen}
    return tuple(sorted(set(names) - aside)), tuple(sorted(aside))


def _with_validation(splits: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    if "train" not in splits and "trainval" in splits:
        aside = set(splits.get("val", ()))
        splits["train"] = tuple(name for name in splits["trainval"] if name not in aside)
    if "train" in splits and "val" not in splits:
        number = min(VALIDATION, len(splits["train"]) // 5)
        splits["train"], splits["val"] = set_aside(splits["train"], number)
    return splits


def _of(
    name: str,
    title: str,
    root: Path,
    found: Found,
    shipped: Mapping[str, Mapping[str, tuple[str, ...]]] | None = None,
) -> FolderDataset:
    """A data set of what was found in its folder, with the lists that are `shipped` for it.

    The first lists are the default ones; those of the folder come before the shipped.
    """
    every = {**found.lists, **{k: v for k, v in (shipped or {}).items() if k not in found.lists}}
    divided = {folder: _with_validation(dict(named)) for folder, named in every.items()}
    splits: dict[str, tuple[str, ...]] = {}
    for folder, named in divided.items():
        splits = splits or dict(named)
        splits |= {f"{folder}/{split}": names for split, names in named.items()}
    notes = found.notes
    if every and not found.lists:
        default = next(iter(every))
        notes = (*notes, f"{title}: no list in the folder; divided by the published {default}")
    return FolderDataset(name, title, splits, root, found.pairs, notes=notes)


def _folder(root: Path) -> FolderDataset:
    """Any folder: without a list every image is a test image."""
    title = root.resolve().name
    found = _of(f"folder-{title}", title, root, find(root))
    return found if found.splits else replace(found, splits={"test": tuple(sorted(found.pairs))})


def _published(name: str, root: Path) -> FolderDataset:
    """A folder of a published division: without its lists, training images would be tested."""
    source = SOURCES[name]
    found = _of(name, source.title, root, find(root, source.folders))
    if not found.splits.get("test"):
        raise DataError(_no_list(root, source))
    return found


def _no_list(root: Path, source: Source) -> str:
    return (
        f"{root}: no list of the test images of {source.title}; expected train.txt (or "
        f"trainval.txt) and test.txt, or train_{source.title}.txt and "
        f"test_{source.title}.txt, in this folder or one below it, as 50_50/test.txt"
    )


def _nuaa(root: Path) -> FolderDataset:
    """Any of its copies; lists that are published for it are there where all its images are."""
    from istsbench.data.manifest import published_lists

    source = SOURCES["nuaa"]
    found = find(root, source.folders, first=NUAA_LISTS)
    shipped = {
        folder: named
        for folder, named in published_lists("nuaa").items()
        if all(name in found.pairs for names in named.values() for name in names)
    }
    opened = replace(_of("nuaa", source.title, root, found, shipped), fixes=NUAA_RESIZED)
    if not opened.splits.get("test"):
        raise DataError(_no_list(root, source))
    return opened


def _nust_pairs(root: Path) -> tuple[dict[str, tuple[Path, Path]], dict[str, tuple[Path, Path]]]:
    train, missing = nust_training(root)
    if missing:
        raise DataError(
            f"{root / 'training'}: {missing[0]} is missing from its pair "
            f"({len(missing)} such pairs); expected NNNNNN_1.png and NNNNNN_2.png"
        )
    if not train:
        raise DataError(f"{root / 'training'}: no pair NNNNNN_1.png and NNNNNN_2.png")
    test = pair(root, "test_org", "test_gt")
    return train, {f"test_{name}": files for name, files in test.items()}


def _nust(root: Path) -> FolderDataset:
    train, test = _nust_pairs(root)
    splits = _with_validation({"train": tuple(train), "test": tuple(test)})
    return FolderDataset("nust", "NUST-SIRST", splits, root, {**train, **test})


def _nust_paper(root: Path) -> FolderDataset:
    """The division of pixelGame's Section IV-A: 80 % of the training patches and all test
    images train, the other patches test. The paper's list is not published: ours is drawn
    with seed 0, so scores on it are like the paper's but not on the same images."""
    train, test = _nust_pairs(root)
    kept, tested = set_aside(tuple(train), round(0.2 * len(train)))
    splits = _with_validation({"train": kept + tuple(test), "test": tested})
    return FolderDataset("nust-paper", "NUST-SIRST (80/20)", splits, root, {**train, **test})


@dataclass(frozen=True)
class Source:
    """Where a data set's folder is looked for, and how it is read."""

    title: str
    folders: tuple[str, ...]
    read: Callable[[Path], FolderDataset]
    where: str  # public home, for the message when it is missing


SOURCES = {
    "nuaa": Source(
        "NUAA-SIRST", ("nuaa", "NUAA-SIRST", "sirst"), _nuaa, "github.com/YimianDai/sirst"
    ),
    "nust": Source(
        "NUST-SIRST", ("nust", "NUST-SIRST"), _nust, "github.com/wanghuanphd/MDvsFA_cGAN"
    ),
    "nust-paper": Source(
        "NUST-SIRST (80/20)",
        ("nust", "NUST-SIRST"),
        _nust_paper,
        "github.com/wanghuanphd/MDvsFA_cGAN",
    ),
    "nudt": Source(
        "NUDT-SIRST",
        ("nudt", "NUDT-SIRST"),
        partial(_published, "nudt"),
        "github.com/YeRen123455/Infrared-Small-Target-Detection",
    ),
    "irstd1k": Source(
        "IRSTD-1k",
        ("irstd1k", "IRSTD-1k", "IRSTD-1K"),
        partial(_published, "irstd1k"),
        "github.com/RuiZhang97/ISNet",
    ),
}
NAMES = (*SOURCES, "synthetic")


def title_of(name: str) -> str:
    """The title of a data set by its name, the name itself if it is not one of ours."""
    return SOURCES[name].title if name in SOURCES else name


def roots(data_root: Path | None = None) -> list[Path]:
    """Folders in which data sets are looked for, in order."""
    if data_root is not None:
        return [Path(data_root)]
    if os.environ.get("ISTSBENCH_DATA"):
        return [Path(os.environ["ISTSBENCH_DATA"])]
    from platformdirs import user_cache_path

    return [user_cache_path("istsbench")]


def locate(name: str, data_root: Path | None = None) -> Path:
    """The folder of a data set on disk; raises `UnknownName`, or `DataError` if there is none."""
    if name.startswith(FOLDER):
        given = name.removeprefix(FOLDER).strip()
        root = Path(given).expanduser()
        if not given:  # a path without letters would be the working folder
            raise WrongUse(f"{name!r} names no folder; expected {FOLDER}PATH")
        if not root.is_dir():
            raise DataError(
                f"{root}: no such folder; expected one with images/ and masks/ (a path with a "
                "comma stands in double quotes)"
            )
        return root
    if name not in SOURCES:
        raise UnknownName("data set", name, [*NAMES, "folder:PATH"])
    source = SOURCES[name]
    tried = [root / folder for root in roots(data_root) for folder in source.folders]
    for path in tried:
        if path.is_dir():
            return path
    raise DataError(
        f"{source.title} is not here; tried {', '.join(map(str, tried))}. "
        f"Get it with `istsbench data fetch {name}` (home: {source.where}), or name the folder "
        "above it by --data-root or ISTSBENCH_DATA"
    )


def open_dataset(name: str, data_root: Path | None = None, depth: str = OWN) -> Dataset:
    """The data set of that name, or of the folder in `folder:PATH`.

    `depth` says how pictures deeper than 8 bit come to 0..255, as `Depth.read` takes it.
    Raises `UnknownName`, or `DataError` if its files are missing or do not fit together.
    """
    if name == "synthetic":
        from istsbench.data.synthetic import synthetic

        return replace(synthetic(), depth=Depth.read(depth))
    root = locate(name, data_root)
    found = _folder(root) if name.startswith(FOLDER) else SOURCES[name].read(root)
    return replace(found, depth=Depth.read(depth))
