"""TIFF files deeper than 8 bit.

tifffile reads the structure of every file, and the pixels unless they are packed in a way for
which it needs a further package (LZW, which OpenCV writes, above all): these OpenCV reads, and
12 bit in a row Pillow. What such a reader returns is taken only if type and shape are those of
the structure.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np

from istsbench.errors import DataError

_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType: a page that is a thumbnail, or a mask, of another
_KINDS = {1: "u", 2: "i", 3: "f", 4: "u", 6: "c"}  # SampleFormat -> kind as numpy names it


def is_tiff(data: bytes) -> bool:
    return data[:4] in _STARTS


@dataclass(frozen=True)
class Page:
    """The structure of the one page of a file."""

    width: int
    height: int
    frames: int  # pictures in the file, without thumbnails
    orientation: int
    bits: int  # of a sample
    kind: str  # u, i, f, c
    samples: int  # of a pixel
    planar: bool
    photometric: str
    extra: tuple[str, ...]  # what the samples beyond grey or colour are
    software: str = ""  # that wrote it
    number: int = 0  # among all structures of the file
    plane: int | None = None  # which of the frames behind this one structure; None: it has one

    @classmethod
    def of(cls, data: bytes, frame: int | None = None) -> Self:
        """Read from the bytes of a file; raises what tifffile raises.

        Of a file of several frames that is the first, with their number in `frames`, or the
        one asked for, which is counted from 0 without thumbnails and has 1 there.
        """
        file, shown, behind = _opened(data)
        frames = len(shown) * behind
        number = shown[0] if frame is None or behind > 1 else shown[frame]
        page = file.pages[number].aspage()
        bits = page.bitspersample
        return cls(
            page.imagewidth, page.imagelength, frames if frame is None else 1,
            _orientation(page), bits if isinstance(bits, int) else max(bits),
            _KINDS.get(int(page.sampleformat or 1), "c"), page.samplesperpixel,
            page.samplesperpixel > 1 and page.planarconfig == 2, _name(page.photometric),
            tuple(map(_name, page.extrasamples)), str(page.software), number,
            frame if behind > 1 else None,
        )  # fmt: skip

    @property
    def colour(self) -> bool:
        return self.photometric == "RGB"

    @property
    def type(self) -> str:
        """uint16, int16, float32, ...; of 12 bit in a row uint12."""
        names = {"u": "uint", "i": "int", "f": "float", "c": "complex"}
        return f"{names[self.kind]}{self.bits}"

    @property
    def full(self) -> tuple[float, float] | None:
        """The levels of black and white; None for floats."""
        if self.kind == "u":
            return 0, 2**self.bits - 1
        return (-(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1) if self.kind == "i" else None

    def check_bits(self, what: str | Path) -> None:
        """Raise `DataError` for a mask of bool as tifffile writes it, where readers disagree."""
        inverted = self.bits == 1 and self.photometric == "MINISWHITE"
        if inverted and self.software.startswith("tifffile"):
            raise DataError(
                f"{what}: written by tifffile from an array of bool: its structure says that 0 is "
                "white (MINISWHITE), but True was written as 1, so most readers see it inverted; "
                "save it as uint8, mask.astype('uint8') * 255"
            )

    def planes(self, data: bytes, what: str | Path) -> np.ndarray:
        """The pixels (height, width, samples), black as the lowest level, native bytes."""
        self._check(what)
        pixels = self._decoded(data, what)
        expected = (self.height, self.width, self.samples)
        if pixels.shape != expected or pixels.dtype.kind != self.kind:
            raise DataError(
                f"{what}: read as {pixels.dtype} {pixels.shape}, its structure says {self.type} "
                f"{expected}; save it uncompressed"
            )
        if self.photometric == "MINISWHITE":
            assert self.full is not None
            pixels = np.asarray(self.full[1] - pixels.astype(np.int64)).astype(pixels.dtype)
        return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)

    def _check(self, what: str | Path) -> None:
        alpha = ("ASSOCALPHA", "UNASSALPHA")
        known = self.photometric in ("MINISBLACK", "RGB")
        known |= self.photometric == "MINISWHITE" and self.kind == "u"
        if self.kind == "c" or not known:
            raise DataError(
                f"{what}: a TIFF of {self.type}, {self.photometric}; expected unsigned integers, "
                "or signed ones or floats with black as zero"
            )
        colours = 3 if self.colour else 1
        if self.samples != colours and not (
            self.samples == colours + 1 and self.extra and self.extra[0] in alpha
        ):
            raise DataError(
                f"{what}: {self.samples} bands of {self.type}; expected one of grey, or red, green "
                "and blue, and perhaps alpha"
            )

    def _decoded(self, data: bytes, what: str | Path) -> np.ndarray:
        try:
            file, *_ = _opened(data)
            if self.plane is None:
                pixels = file.pages[self.number].asarray()
            else:
                pixels = self._behind(file, data)
        except (ValueError, ImportError, NotImplementedError) as error:
            found = self._otherwise(data)
            if found is None:
                raise DataError(
                    f"{what}: a TIFF of {self.type} packed in a way that is not read here "
                    f"({error}); save it uncompressed"
                ) from error
            return found
        if self.planar:
            pixels = np.moveaxis(pixels, 0, -1)
        return np.asarray(pixels.reshape(self.height, self.width, -1))

    def _behind(self, file: Any, data: bytes) -> np.ndarray:
        """The plane of several that one structure describes."""
        assert self.plane is not None
        series, pixels = file.series[0], self.height * self.width * self.samples
        if series.dataoffset is None or self.bits not in (8, 16, 32, 64):
            planes = series.asarray().reshape(-1, pixels)
            return np.asarray(planes[self.plane])
        kind = series.dtype.newbyteorder(file.byteorder)
        start = series.dataoffset + self.plane * pixels * kind.itemsize
        return np.frombuffer(data, kind, pixels, start)

    def _otherwise(self, data: bytes) -> np.ndarray | None:
        """By Pillow or OpenCV where they are right; None elsewhere."""
        if self.plane is not None:
            return None
        if self.samples == 1 and self.bits == 12:
            from PIL import Image

            with Image.open(io.BytesIO(data), formats=("TIFF",)) as picture:
                picture.seek(self.number)
                return np.array(picture)[..., None]
        if self.planar or self.bits not in (8, 16, 32, 64):
            return None
        import cv2

        wanted = (self.number, self.number + 1)
        done, found = cv2.imdecodemulti(
            np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED, range=wanted
        )
        pixels = found[0] if done and len(found) == 1 else None
        if pixels is None or pixels.dtype.itemsize * 8 != self.bits:
            return None
        if pixels.ndim == 2:
            return np.asarray(pixels[..., None])
        return np.asarray(pixels[..., [2, 1, 0, 3][: pixels.shape[2]]])  # it keeps blue first


def count_frames(path: Path) -> int:
    """How many pictures a file holds, without thumbnails; raises what tifffile raises."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        shown, behind = _frames(file)
        return len(shown) * behind


@lru_cache(maxsize=1)
def _opened(data: bytes) -> tuple[Any, list[int], int]:
    """The file, and its frames as `_frames` gives them.

    Kept, since the frames of a long file are read one by one.
    """
    import tifffile

    file = tifffile.TiffFile(io.BytesIO(data))
    return file, *_frames(file)


def _frames(file: Any) -> tuple[list[int], int]:
    """The numbers of the structures that are pictures, and how many frames lie behind each."""
    number = len(file.pages)
    pages = [file.pages[place].aspage() for place in range(number)]
    shown = [
        place for place, page in enumerate(pages) if not int(page.subfiletype) & (_REDUCED | _MASK)
    ]
    if not shown or shown[0] != 0:
        shown = [0]
    first = pages[0]
    # ImageJ and tifffile may keep all frames behind the structure of the first.
    plane = max(first.imagewidth * first.imagelength * first.samplesperpixel, 1)
    behind = int(file.series[0].size // plane) if number == 1 and file.series else 1
    return shown, max(behind, int(first.imagedepth), 1)


def _name(value: object) -> str:
    """Of one of the numbers of the format; the number itself where it is none of these."""
    return str(getattr(value, "name", value))


def _orientation(page: object) -> int:
    tag = page.tags.get(274)  # type: ignore[attr-defined]
    return int(tag.value) if tag is not None else 1
