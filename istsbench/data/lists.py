"""Lists that divide the images of a folder: which files are such lists, and the names in them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Container, Mapping, Sequence
from pathlib import Path

from istsbench.data.pairs import SUFFIXES
from istsbench.errors import DataError

Lists = dict[str, dict[str, tuple[str, ...]]]  # folder of lists -> split -> names
KINDS = ("train", "val", "test", "trainval", "trainvaltest")
PICTURED = ("images", "image", "masks", "mask")  # folders that a line may begin with
_LIST = re.compile(r"(trainvaltest|trainval|train|val|test)(?:[_-](.+))?")


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


def read_list(path: Path, known: Collection[str]) -> tuple[str, ...]:
    """The names in a split list; a last line without an end counts as well.

    A line may carry the folder and the ending of the file. Where samples are frames of
    sequences, SEQUENCE/NAME, a line may name a sequence: it stands for all of its frames.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a readable list of names ({error})") from error
    frames: dict[str, list[str]] = {}
    for name in sorted(known):
        if "/" in name:
            frames.setdefault(name.rpartition("/")[0], []).append(name)
    # A list made on Windows may hold paths with its sign between folders.
    lines = (line.strip().replace("\\", "/").strip("/") for line in text.splitlines())
    names: list[str] = []
    missing = []
    for line in filter(None, lines):
        found = _named(line, known, frames)
        names += found
        missing += [] if found else [line]
    if missing:
        raise DataError(
            f"{path}: {len(missing)} of {len(names) + len(missing)} names have no image, the first "
            f"is {missing[0]!r}"
        )
    if len(set(names)) < len(names):
        raise DataError(f"{path}: {len(names) - len(set(names))} names stand twice")
    return tuple(names)


def _named(line: str, known: Container[str], frames: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The samples that a line of a list names, with the ending of a picture or without.

    Of the folders before a name any may be left out, but where there are sequences only those
    of all pictures: frames of two sequences have the same numbers.
    """
    parts = line.split("/")
    ending = Path(parts[-1]).suffix
    if ending.lower() in SUFFIXES:
        parts[-1] = parts[-1].removesuffix(ending)
    while parts:
        name = "/".join(parts)
        if name in known:
            return (name,)
        if name in frames:
            return frames[name]
        if frames and parts[0].lower() not in PICTURED:
            return ()
        parts = parts[1:]
    return ()


def bears_a_known_name(path: Path, root: Path, called: Collection[str]) -> bool:
    found = _LIST.fullmatch(path.stem.lower())
    names = ("", root.name.lower(), *(name.lower() for name in called))
    return found is not None and (found[2] or "") in names


def refuse_unread(root: Path, folders: Sequence[str], pairs: Container[str]) -> None:
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


def nearest_lists(root: Path, called: Collection[str], pictured: Collection[str]) -> list[str]:
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
