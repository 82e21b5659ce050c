"""The data sets by name: where their folders are looked for, and how they are divided.

What is wrong with a folder is said with what was found and what was expected.

`nuaa` is NUAA-SIRST (Dai et al., WACV 2021), `nust` and `nust-paper` are NUST-SIRST
(Wang et al., ICCV 2019) in the official division and in one like pixelGame's,
`synthetic` needs no file, `nudt`, `nudt-sea`, `irstd1k`, `sirst-aug`, `sirst-v2`, `irdst-real` and
`irdst-simulation` are read in their published folders by their published lists, and
`folder:PATH` is any folder of images and masks. Which layouts of folders, files and lists are
read stands in docs/inputs.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from istsbench.data.depth import OWN, Depth
from istsbench.data.layouts import Found, find, nust_training
from istsbench.data.names import FOLDER
from istsbench.data.pairs import pair
from istsbench.data.samples import VALIDATION, Dataset, FolderDataset
from istsbench.errors import DataError, UnknownName, WrongUse

NUAA_LISTS = ("idx_427", "idx_320", "50_50")  # the first that is there is the default
WITH_NUAA = ("nuaa", "sirst-v2")  # data sets that hold its images
NUAA_RESIZED = {"Misc_111": "the published mask is 592x400 for an image of 325x220"}


def set_aside(names: tuple[str, ...], number: int, seed: int = 0) -> tuple[tuple[str, ...], ...]:
    """Divide names at random into (the rest, `number` of them), both sorted.

    >>> set_aside(("a", "b", "c", "d"), 1)
    (('a', 'b', 'd'), ('c',))
    """
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
    found = _of(name, source.title, root, find(root, source.called))
    if not found.splits.get("test"):
        raise DataError(_no_list(root, source))
    return replace(found, fixes=NUAA_RESIZED if name in WITH_NUAA else {})


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
    found = find(root, source.called, first=NUAA_LISTS)
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
    test = pair(root / "test_org", root / "test_gt")
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
    """Where a data set's folder is looked for, and how it is read.

    >>> SOURCES["nuaa"].title
    'NUAA-SIRST'
    """

    title: str
    folders: tuple[str, ...]
    read: Callable[[Path], FolderDataset]
    where: str  # public home, for the message when it is missing
    lists: tuple[str, ...] = ()  # X of its lists train_X.txt and test_X.txt, if not a folder's name

    @property
    def called(self) -> tuple[str, ...]:
        """What the names of its lists may end with."""
        return (*self.folders, *self.lists)


SOURCES = {
    "nuaa": Source(
        "NUAA-SIRST",
        ("nuaa", "NUAA-SIRST", "sirst", "SIRSTdevkit"),
        _nuaa,
        "github.com/YimianDai/sirst",
        ("v1",),
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
    "nudt-sea": Source(
        "NUDT-SIRST-Sea",
        ("nudt-sea", "NUDT-SIRST-Sea"),
        partial(_published, "nudt-sea"),
        "github.com/TianhaoWu16/Multi-level-TransUNet-for-Space-based-Infrared-Tiny-ship-Detection",
    ),
    "irstd1k": Source(
        "IRSTD-1k",
        ("irstd1k", "IRSTD-1k", "IRSTD-1K"),
        partial(_published, "irstd1k"),
        "github.com/RuiZhang97/ISNet",
    ),
    "sirst-aug": Source(
        "SIRST-Aug",
        ("sirst-aug", "sirst_aug", "SIRST-Aug", "SIRST-Aug/sirst_aug"),
        partial(_published, "sirst-aug"),
        "github.com/Tianfang-Zhang/AGPCNet",
    ),
    "sirst-v2": Source(
        "SIRST-v2",
        ("sirst-v2", "open-sirst-v2", "SIRST-V2", "SIRST-v2", "SIRST-V2/open-sirst-v2"),
        partial(_published, "sirst-v2"),
        "github.com/YimianDai/open-sirst-v2",
        ("full",),
    ),
    "irdst-real": Source(
        "IRDST-real",
        ("irdst-real", "IRDST-real", "IRDST/real", "IRDST/IRDST/real"),
        partial(_published, "irdst-real"),
        "github.com/sun11999/RDIAN",
    ),
    "irdst-simulation": Source(
        "IRDST-simulation",
        ("irdst-simulation", "IRDST-simulation", "IRDST/simulation", "IRDST/IRDST/simulation"),
        partial(_published, "irdst-simulation"),
        "github.com/sun11999/RDIAN",
    ),
}
NAMES = (*SOURCES, "synthetic")


def unknown(kind: str, name: str, others: Sequence[str] = ()) -> UnknownName:
    """The error for a name that is none, with what was probably meant.

    A title or folder of a data set means its name, and a path means the folder there.
    """
    known = [*NAMES, *others, f"{FOLDER}PATH"]
    for one, source in SOURCES.items():
        if _plain(name) in map(_plain, (one, source.title, *source.folders)):
            return UnknownName(kind, name, known, meant=one)
    meant = f"{FOLDER}{name}" if Path(name).expanduser().is_dir() else ""
    return UnknownName(kind, name, known, meant=meant)


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def title_of(name: str) -> str:
    """The title of a data set by its name, the name itself if it is not one of ours.

    >>> title_of("nuaa"), title_of("mine")
    ('NUAA-SIRST', 'mine')
    """
    return SOURCES[name].title if name in SOURCES else name


def roots(data_root: Path | None = None) -> list[Path]:
    """Folders in which data sets are looked for, in order.

    >>> roots(Path("data")) == [Path("data")]
    True
    """
    if data_root is not None:
        return [Path(data_root)]
    if os.environ.get("ISTSBENCH_DATA"):
        return [Path(os.environ["ISTSBENCH_DATA"])]
    from platformdirs import user_cache_path

    return [user_cache_path("istsbench")]


def locate(name: str, data_root: Path | None = None) -> Path:
    """The folder of a data set on disk; raises `UnknownName`, or `DataError` if there is none.

    >>> locate("irstd-1k")
    Traceback (most recent call last):
        ...
    istsbench.errors.UnknownName: unknown data set 'irstd-1k'; did you mean irstd1k?
    """
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
        raise unknown("data set", name)
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

    >>> open_dataset("synthetic").names("val")[0]
    'val_000'
    """
    if name == "synthetic":
        from istsbench.data.synthetic import synthetic

        return replace(synthetic(), depth=Depth.read(depth))
    root = locate(name, data_root)
    found = _folder(root) if name.startswith(FOLDER) else SOURCES[name].read(root)
    return replace(found, depth=Depth.read(depth))
