"""Which images a run is about, and the name of the folder that its results go to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from istsbench.data.depth import folder_ending
from istsbench.data.samples import Dataset, FolderDataset, fingerprint
from istsbench.errors import DataError
from istsbench.runs.shards import Named, Shard


@dataclass(frozen=True)
class Images:
    """The images of a run, verified to load, with the hash of their pixels."""

    dataset: Dataset
    split: str
    names: tuple[str, ...]
    tuning: tuple[str, ...]
    pixels: dict[str, str]
    notes: tuple[str, ...]
    bytes: int  # of one float32 map of each image
    depth: str = ""  # how images deeper than 8 bit came to 0..255; empty if none is

    @classmethod
    def load(
        cls,
        dataset: Dataset,
        split: str,
        limit: int | None,
        wanted: Sequence[str],
        shard: Shard | Named | None = None,
    ) -> Images:
        """Decode every image once; raises `DataError` before any work is done.

        `limit` keeps the first images, of those that `tuned` is chosen on too; one that leaves
        the split whole leaves these whole.
        """
        names = dataset.names(split)
        if limit is not None and limit >= len(names):
            limit = None
        names = names[:limit]
        if not names:
            raise DataError(f"the split {split!r} of {dataset.name} has no image")
        tuning = dataset.tuning_names(split)[:limit] if "tuned" in wanted else ()
        needed = tuple(dict.fromkeys((*names, *tuning)))
        pixels: dict[str, str] = {}
        notes = list(dataset.notes)
        size = cut = 0
        depth = ""
        for name in shard.of(needed) if shard else needed:
            sample = dataset.load(name)
            pixels[name] = sample.pixels
            notes += sample.notes
            size += 4 * sample.image.size
            cut += sample.cut > 0
            depth = depth or sample.depth
        notes = collapsed(notes)
        if cut:
            beyond = f"{cut} of {len(pixels)} images have levels beyond {depth}, which are cut off"
            notes.append(f"{dataset.title}: {beyond}")
        names, tuning = (tuple(n for n in part if n in pixels) for part in (names, tuning))
        return cls(dataset, split, names, tuning, pixels, tuple(notes), size, depth)

    @property
    def tag(self) -> str:
        of = len(self.dataset.names(self.split))
        return folder_name(self.dataset.name, self.split, len(self.names), of, self.depth)

    def hash(self, names: Sequence[str]) -> str:
        return fingerprint((name, self.pixels[name]) for name in names)

    def fields(self) -> dict[str, Any]:
        """The fields of a record that tell of the images."""
        data = self.dataset
        place = None  # folders may be called alike; of the path a hash is enough
        if isinstance(data, FolderDataset) and data.name.startswith("folder-"):
            place = path_hash(data.root)
        return {
            "folder": place,
            "dataset": data.name,
            "title": data.title,
            "split": self.split,
            "images": len(self.names),
            "of": len(data.names(self.split)),
            "depth": self.depth,
            "data_hash": self.hash(self.names),
        }


def path_hash(path: Path) -> str:
    """Eight digits of where a folder of images lies, for folders that are called alike."""
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]


def collapsed(notes: Sequence[str]) -> list[str]:
    """Notes of images, NAME: TEXT, of each kind the first and how many others there are.

    Of one kind are texts that differ in numbers alone.
    """
    kinds: dict[str, list[str]] = {}
    for note in notes:
        kinds.setdefault(re.sub(r"\d+", "", note.partition(": ")[2] or note), []).append(note)
    return [
        first + (f" (and {len(others)} images more)" if others else "")
        for first, *others in kinds.values()
    ]


def folder_name(dataset: str, split: str, images: int, of: int, depth: str = "") -> str:
    """The name of a results folder, TAG, for `images` out of `of`.

    Another `depth` than the default one has a folder of its own.
    """
    parts = [dataset]
    if split != "test":
        parts.append(split.replace("/", "-"))
    if images < of:
        parts.append(f"first{images}")
    return "-".join(parts) + folder_ending(depth)
