"""A run divided over machines that do not talk: each scores a shard, the last counts.

A shard is every n-th image. Shards that write to one folder need nothing more: a run without
a shard finds all maps there and counts. Maps from separate folders are brought together by
`merge` first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from istsbench.errors import DataError, UnknownName, WrongUse
from istsbench.files import write_atomic
from istsbench.runs.maps import STAMPS, read_map
from istsbench.runs.outputs import maps_folder


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `count` equal parts."""

    number: int
    count: int

    @classmethod
    def read(cls, text: str) -> Self:
        """From "3/16"; raises `WrongUse`."""
        found = re.fullmatch(r"(\d+)/(\d+)", text.strip(), re.ASCII)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise WrongUse(f"shard is {text!r}, expected i/n with i from 1 to n, as 3/16")
        return cls(int(found[1]), int(found[2]))

    def of(self, names: Iterable[str]) -> tuple[str, ...]:
        """The names at the positions of this shard."""
        return tuple(names)[self.number - 1 :: self.count]

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


@dataclass(frozen=True)
class Named:
    """Images by their names, to be scored and not counted; none: all."""

    names: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> Self:
        """From names by comma, or by semicolon where there is one, as names may hold commas;
        or `all`. Raises `WrongUse` if there is none."""
        if text.strip() == "all":
            return cls()
        parts = text.split(";" if ";" in text else ",")
        names = tuple(dict.fromkeys(name.strip() for name in parts if name.strip()))
        if not names:
            raise WrongUse(f"{text!r} names no image, expected names by comma, or all")
        return cls(names)

    def of(self, names: Iterable[str]) -> tuple[str, ...]:
        """These, if all of them are among `names`; raises `UnknownName`."""
        known = list(names)
        for name in self.names:
            if name not in known:
                raise UnknownName("image", name, known)
        return self.names or tuple(known)


@dataclass
class Merged:
    """What a merge did, in files."""

    copied: int = 0
    present: int = 0  # already there, intact
    refused: dict[Path, str] = field(default_factory=dict)  # file -> reason


def merge(sources: Sequence[Path], out: Path) -> Merged:
    """Copy the maps and failures below the results folders `sources` to `out`.

    A map is copied if its checksum is right and no intact one is there; a failure, if there is
    no map. Maps of one image that were made from different pixels are refused, and so are
    damaged ones. Raises `DataError` if a folder holds no map.
    """
    for source in sources:
        if not maps_folder(source).is_dir():
            raise DataError(f"{source}: no folder maps/ in it; expected the --out of a run")
    done = Merged()
    for source in sources:
        if source.resolve() != out.resolve():
            for path in _sorted(maps_folder(source), ".npy"):
                _merge_map(path, out / path.relative_to(source), done)
            for path in maps_folder(source).rglob(STAMPS):
                write_atomic(out / path.relative_to(source), path.read_bytes())
    for source in sources:  # an image that failed here may have been scored there
        for path in _sorted(maps_folder(source), ".failed.json"):
            target = out / path.relative_to(source)
            scored = target.with_name(target.name.removesuffix(".failed.json") + ".npy")
            if scored.exists() or target.exists():
                done.present += 1
            else:
                write_atomic(target, path.read_bytes())
                done.copied += 1
    return done


def _sorted(folder: Path, ending: str) -> Iterator[Path]:
    return iter(sorted(path for path in folder.rglob(f"*{ending}") if path.is_file()))


def _merge_map(path: Path, target: Path, done: Merged) -> None:
    data = path.read_bytes()
    try:
        pixels = read_map(data).pixels
    except ValueError:
        done.refused[path] = "it is damaged"
        return
    try:
        there = read_map(target.read_bytes()).pixels
    except (FileNotFoundError, ValueError):
        write_atomic(target, data)
        target.with_name(f"{target.stem}.failed.json").unlink(missing_ok=True)
        done.copied += 1
        return
    if there == pixels:
        done.present += 1
    else:
        done.refused[path] = f"{target} was made from other pixels of that image"
