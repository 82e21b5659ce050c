"""One image with its truth, and a data set as samples by name.

A sample's image is float64 (H, W) with grey levels 0..255, its mask bool (H, W) of the same
size; what is wrong with a file is said with what was found and what was expected.
"""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np

from istsbench.arrays import grey_image, target_mask
from istsbench.data.depth import Depth
from istsbench.data.images import pixel_hash, read_file
from istsbench.data.names import FOLDER, quoted
from istsbench.data.truth import target
from istsbench.errors import DataError, DataGone, UnknownName, WrongUse

VALIDATION = 200  # images set aside for tuning where a data set has no validation list


@dataclass(frozen=True)
class Sample:
    """One image with its truth, (H, W) both; `notes` say what had to be mended to load it.

    Any real image of grey levels 0..255 becomes float64, any mask of two levels bool; `DataError`
    for what is no image and its mask.

    >>> sample = Sample("one", [[0, 255]], [[0, 1]])
    >>> sample.image.dtype, sample.mask.tolist()
    (dtype('float64'), [[False, True]])
    """

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
    """Samples by name, and named splits of the names.

    >>> from istsbench.data.datasets import open_dataset
    >>> data = open_dataset("synthetic")
    >>> len(data.names("test")), data.load("test_000").image.shape
    (24, (128, 154))
    """

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
        others = ("all", *(("trainval",) if "train" in self.splits else ()))
        raise UnknownName(f"split of {self.name}", split, sorted({*self.splits, *others}))

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
    """A data set on disk.

    >>> FolderDataset("mine", "Mine", {"test": ("a",)}).load("b")
    Traceback (most recent call last):
        ...
    istsbench.errors.DataError: .: no image and mask called 'b'
    """

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
