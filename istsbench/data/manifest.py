"""What the published files of a data set hold, pixel by pixel.

A manifest has a line a sample: its size, a hash of the decoded grey pixels of the image,
and one of the mask file as published, before any resizing. Pixels are hashed and not
bytes, so that a copy encoded anew verifies too. The columns after them name the split of
the sample in the official lists. A manifest is made from a copy known to be sound with

    python -m istsbench.data.manifest nuaa FOLDER_ABOVE_THE_DATA_SETS
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from istsbench.data.datasets import open_dataset
from istsbench.data.images import pixel_hash, read_file
from istsbench.data.samples import FolderDataset
from istsbench.files import write_atomic

FILES = {"nuaa": "nuaa.csv", "nust": "nust.csv.gz", "nust-paper": "nust.csv.gz"}
_COLUMNS = ("name", "width", "height", "image", "mask")
OFFICIAL = ("train", "val", "test")
_FOREIGN = "50_50"  # lists of NUAA-SIRST that its home does not publish; shipped beside these


@dataclass(frozen=True)
class Entry:
    """One published sample."""

    name: str
    width: int
    height: int
    image: str  # hash of the image's grey pixels
    mask: str  # hash of the mask file's grey pixels
    splits: Mapping[str, str]  # folder of lists -> split; empty where it lists the name nowhere


def read_manifest(name: str) -> dict[str, Entry]:
    """The entries of a data set by sample name; none for a data set without a manifest."""
    if name not in FILES:
        return {}
    data = (files(__package__) / "manifests" / FILES[name]).read_bytes()
    text = gzip.decompress(data) if FILES[name].endswith(".gz") else data
    return {
        row["name"]: Entry(
            row["name"],
            int(row["width"]),
            int(row["height"]),
            row["image"],
            row["mask"],
            {column: row[column] for column in row if column not in _COLUMNS},
        )
        for row in csv.DictReader(io.StringIO(text.decode()))
    }


def published_lists(name: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """The divisions that are published for a data set: folder of lists -> split -> names.

    Of NUAA-SIRST the official ones, the default first, and 50_50: 213 training and 214 test
    images, which most papers since 2021 use. Its lists lie beside the manifests.
    """
    manifest = read_manifest(name)
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for folder in sorted(next(iter(manifest.values())).splits, reverse=True) if manifest else ():
        found[folder] = {
            split: tuple(s for s, entry in manifest.items() if entry.splits[folder] == split)
            for split in OFFICIAL
        }
    for split in ("train", "test"):
        path = files(__package__) / "manifests" / f"{name}-{_FOREIGN}-{split}.txt"
        if path.is_file():
            found.setdefault(_FOREIGN, {})[split] = tuple(path.read_text("utf-8").split())
    return found


def write_manifest(dataset: FolderDataset, path: Path) -> None:
    """Write the manifest of a copy that is known to be sound; compressed if `path` says so."""
    lists = sorted({split.split("/")[0] for split in dataset.splits if "/" in split} - {_FOREIGN})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*_COLUMNS, *lists))
    for name in sorted(dataset.names("all")):
        image, mask = (read_file(file).pixels for file in dataset.pairs[name])
        height, width = image.shape
        places = [_official(dataset, folder, name) for folder in lists]
        writer.writerow((name, width, height, pixel_hash(image), pixel_hash(mask), *places))
    data = text.getvalue().encode()
    write_atomic(path, gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def _official(dataset: FolderDataset, folder: str, name: str) -> str:
    splits = [s for s in OFFICIAL if name in dataset.splits.get(f"{folder}/{s}", ())]
    return " ".join(splits)


def main() -> None:
    name, root = sys.argv[1], Path(sys.argv[2])
    dataset = open_dataset(name, root)
    assert isinstance(dataset, FolderDataset)
    write_manifest(dataset, Path(__file__).parent / "manifests" / FILES[name])


if __name__ == "__main__":
    main()
