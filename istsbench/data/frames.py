"""Pictures without labels: which files are meant, and their frames one after the other.

A frame is a picture file, a page of a TIFF file, or a frame of a video. Every picture comes in
by `data.images`; a video is read by OpenCV, which turns its colours to 8 bit, so that one of
more is refused.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from istsbench.data import tiff
from istsbench.data.images import Picture, read_picture
from istsbench.data.pairs import SUFFIXES, UNREAD
from istsbench.errors import DataError, WrongUse

VIDEOS = (".avi", ".mp4", ".mov", ".mkv", ".m4v", ".mpg", ".mpeg", ".wmv", ".webm")
READ = f"{', '.join(SUFFIXES)}, and videos: {', '.join(VIDEOS[:4])}, ..."
_BLOCK = 1 << 20  # bytes
_SHOWN = 3  # names in a message


@dataclass(frozen=True)
class InputFile:
    """A file with one frame or several."""

    path: Path
    title: str  # how outputs call it: its path below the folder that was given
    frames: int = 1  # as the file announces them
    single: bool = True  # a picture file with one frame: its outputs are called like it
    ending: bool = False  # whether its outputs keep its ending: another input differs by it alone

    @property
    def stem(self) -> str:
        """The title, as a rule without its ending, with / between folders."""
        title = Path(self.title)
        return (title if self.ending else title.with_suffix("")).as_posix()

    def output(self, frame: int) -> str:
        """The name of the outputs of a frame, without ending, below any folder."""
        return self.stem if self.single else f"{self.stem}/{frame:06d}"

    def label(self, frame: int) -> str:
        """The frame in a message."""
        return str(self.path) if self.single else f"{self.path}, frame {frame}"

    def digest(self) -> str:
        """sha256 of the file; raises `DataError`."""
        found = hashlib.sha256()
        try:
            with open(self.path, "rb") as file:
                while block := file.read(_BLOCK):
                    found.update(block)
        except OSError as error:
            raise DataError(f"cannot be read ({error.strerror or error})") from error
        return found.hexdigest()


@dataclass(frozen=True)
class Inputs:
    """The files that some paths name."""

    sources: tuple[InputFile, ...]
    refused: dict[str, str]  # path -> why: pictures that are not read
    notes: tuple[str, ...]  # what was left out


def find_sources(paths: Iterable[Path], marker: str, out: Path | None = None) -> Inputs:
    """The pictures and videos that paths name: files, or folders with all below them.

    What lies in `out`, or in a folder that holds a file called `marker`, was written by an
    earlier call and is no input. Files whose outputs would have one name keep their ending in it.
    Raises `WrongUse` for a path that is not there, where no picture is found, and for inputs
    whose outputs would have one name even so.
    """
    given = list(dict.fromkeys(paths))
    missing = [path for path in given if not path.exists()]
    if missing:
        raise WrongUse(
            f"{_named([str(path) for path in missing])}: no such file or folder; expected "
            "pictures, videos, or folders with them"
        )
    here = out.resolve() if out is not None else None
    files: list[tuple[Path, str]] = []
    refused: dict[str, str] = {}
    left: list[str] = []
    for path in given:
        if not path.is_dir():
            if path.suffix.lower() in (*SUFFIXES, *VIDEOS):
                files.append((path, path.name))
            else:
                refused[str(path)] = f"no kind that is read; expected {READ}"
            continue
        for file in _below(path, marker, here):
            suffix = file.suffix.lower()
            if suffix in (*SUFFIXES, *VIDEOS):
                files.append((file, file.relative_to(path).as_posix()))
            elif suffix in UNREAD:
                refused[str(file)] = f"no kind that is read; expected {READ}"
            else:
                left.append(str(file))
    if not files:
        held = f"; found {_named([*refused, *left])}" if refused or left else ""
        named = _named([str(path) for path in given]) or "no path was given"
        raise WrongUse(f"{named}: no picture and no video{held}; expected {READ}")
    files = list({(file.resolve(), title): (file, title) for file, title in files}.values())
    notes = [f"left out, since they are no pictures: {_named(left)}"] if left else []
    sources, renamed = _distinct([_counted(*file) for file in files])
    if renamed:
        notes.append(
            f"outputs keep the ending of {_named(renamed)}, as {renamed[0]}.png: without it "
            "others would have the same name"
        )
    return Inputs(tuple(sources), refused, tuple(notes))


def _distinct(sources: Sequence[InputFile]) -> tuple[list[InputFile], list[str]]:
    """The sources such that no outputs have one name, and the titles that keep their ending."""
    clashing = {one for pair in _clashes(sources) for one in pair[:2]}
    found = [replace(one, ending=True) if one in clashing else one for one in sources]
    for first, second, name in _clashes(found):
        way = "rename one, or use two --out"
        if first.title == second.title:
            name, way = Path(name).with_suffix("").as_posix(), f"give the folder above both, {way}"
        raise WrongUse(f"{first.path} and {second.path} would both be written as {name}; {way}")
    return found, [one.title for one in found if one.ending]


def _clashes(sources: Iterable[InputFile]) -> list[tuple[InputFile, InputFile, str]]:
    """Pairs of sources whose outputs would have one name, with the first such name."""
    there: dict[str, InputFile] = {}
    found: dict[tuple[InputFile, InputFile], str] = {}
    for source in sources:
        for name in map(source.output, range(source.frames)):
            other = there.setdefault(name, source)
            if other is not source:
                found.setdefault((other, source), name)
    return [(*pair, name) for pair, name in found.items()]


def _below(folder: Path, marker: str, out: Path | None) -> Iterator[Path]:
    """The files below a folder by name, without hidden ones and without outputs."""
    for place, folders, names in os.walk(folder):
        here = Path(place)
        if marker in names or (out is not None and here.resolve() == out):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (here / name for name in sorted(names) if not name.startswith("."))


def _counted(path: Path, title: str) -> InputFile:
    """The source of a file; what cannot be opened has one frame, and fails as it is read."""
    suffix = path.suffix.lower()
    if suffix in VIDEOS:
        with _Video(path) as video:
            return InputFile(path, title, max(video.announced, 1), False)
    if suffix in (".tif", ".tiff"):
        try:
            frames = tiff.count_frames(path)
        except Exception:  # tifffile raises many kinds on hostile bytes
            frames = 1
        return InputFile(path, title, frames, frames == 1)
    return InputFile(path, title)


def _named(names: Collection[str]) -> str:
    first = list(names)[:_SHOWN]
    more = f" and {len(names) - len(first)} more" if len(names) > len(first) else ""
    return ", ".join(first) + more


def read_frames(
    source: InputFile, wanted: Collection[int]
) -> Iterator[tuple[int, Picture | DataError]]:
    """The wanted frames of a source in their order, each as a picture or as why it is none."""
    if source.path.suffix.lower() in VIDEOS:
        yield from _video_frames(source, wanted)
        return
    try:
        data = source.path.read_bytes()
    except OSError as error:
        for frame in sorted(wanted):
            yield frame, DataError(f"cannot be read ({error.strerror or error})")
        return
    for frame in sorted(wanted):
        try:
            yield frame, read_picture(data, source.path.name, None if source.single else frame)
        except DataError as error:  # who asks knows the name
            yield frame, DataError(str(error).removeprefix(f"{source.path.name}: "))


class _Video:
    """A video that is open in a `with` block."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> _Video:
        import cv2

        self.capture = cv2.VideoCapture(str(self.path))
        return self

    def __exit__(self, *error: object) -> None:
        self.capture.release()

    @property
    def announced(self) -> int:
        """How many frames it says it has; 0 where it does not."""
        import cv2

        opened = self.capture.isOpened()
        return max(int(self.capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0) if opened else 0

    @property
    def bits(self) -> int:
        """Of a sample. FFmpeg writes more than 8 as Y, a layout of two bytes, and their number."""
        import cv2

        code = int(self.capture.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)).to_bytes(8, "little")[:4]
        return code[3] if code[:1] == b"Y" and 8 < code[3] <= 16 else 8


def _video_frames(
    source: InputFile, wanted: Collection[int]
) -> Iterator[tuple[int, Picture | DataError]]:
    """A video is read from its start: places to jump to are not to be trusted in all of them."""
    with _Video(source.path) as video:
        refusal = None
        if not video.capture.isOpened():
            refusal = DataError("not a video that OpenCV can open")
        elif video.bits > 8:
            refusal = DataError(
                f"a video of {video.bits} bit, which OpenCV would cut to 8; save its frames as "
                "16-bit TIFF"
            )
        if refusal is not None:
            for frame in sorted(wanted):
                yield frame, refusal
            return
        for frame in range(max(wanted, default=-1) + 1):
            if frame in wanted:
                there, pixels = video.capture.read()
            else:
                there, pixels = video.capture.grab(), None
            if not there:
                why = f"the video ends after {frame} of {source.frames} frames; is it cut off?"
                for lost in sorted(one for one in wanted if one >= frame):
                    yield lost, DataError(why)
                return
            if pixels is not None:
                yield frame, _grey(pixels)


def _grey(pixels: np.ndarray) -> Picture:
    """A frame as OpenCV gives it, uint8 (H, W, 3) with blue first, or (H, W)."""
    from PIL import Image

    if pixels.ndim == 2:
        return Picture(pixels, "video", (0, 255))
    blue, green, red = (pixels[..., place] for place in range(3))
    if np.array_equal(blue, green) and np.array_equal(green, red):
        return Picture(np.ascontiguousarray(red), "video", (0, 255))
    colours = Image.fromarray(np.ascontiguousarray(pixels[..., ::-1]))
    return Picture(np.array(colours.convert("L")), "video RGB", (0, 255), coloured=True)
