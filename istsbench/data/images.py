"""From an image file to one plane of grey levels, in one place.

A file of up to 8 bit becomes uint8: grey, colour (luma 0.299 R + 0.587 G + 0.114 B, rounded),
palette, fewer bits spread to 0..255. A deeper file keeps its levels in the type that it has,
integer or float, all of them; `depth` brings them to the grey scale of the methods. What
readers disagree on (docs/inputs.md) is either read in the one right way or refused: several
frames, a turned picture, NaN.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from istsbench.data import tiff
from istsbench.errors import DataError

MAX_PIXELS = 64_000_000  # a larger picture is refused: no sensor of this field comes near
PICTURE_FORMATS = ("PNG", "BMP", "DIB", "JPEG", "TIFF")  # others may start programs: EPS does
LUMA = (0.299, 0.587, 0.114)
ORIENTATION = 274  # EXIF and TIFF: how the picture is to be turned before it is shown
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "I;16", "I", "I;16B")
"""Ways to keep pixels, as Pillow names them, that are read; LAB, say, is not."""
_ALPHA = ("LA", "La", "RGBA", "RGBa", "PA")


@dataclass(frozen=True)
class Picture:
    """The grey levels of a file, (H, W), and how the file keeps them."""

    pixels: np.ndarray  # uint8 of up to 8 bit; else the file's levels in their own type
    mode: str  # L, RGB, P, 1, ... as Pillow names it; deeper files by type: uint16, RGB uint16
    full: tuple[float, float] | None  # black and white of that type; None for floats
    stored: np.ndarray | None = None  # of a palette picture: its indexes, uint8 (H, W)
    alpha: np.ndarray | None = None  # uint8 or deeper (H, W), if the file has one that varies
    coloured: bool = False  # whether red, green and blue differ anywhere

    @property
    def deep(self) -> bool:
        """Whether its levels are of another scale than 0..255."""
        return self.pixels.dtype != np.uint8


def read_picture(data: bytes, what: str | Path, frame: int | None = None) -> Picture:
    """The picture in an encoded image; `what` names it in errors.

    `frame` is that of a TIFF file of several, from 0; without it such a file is refused.

    Raises `DataError` if the bytes are no image, are cut off, hold too many pixels, several
    frames, a turned picture, NaN or infinite values, or levels that cannot be told.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            page = tiff.Page.of(data, frame) if tiff.is_tiff(data) else None
            deep = _deep(data, what, page)
            picture = _plain(data, what, page) if deep is None else deep
    except DataError:
        raise
    except Exception as error:  # readers raise many kinds on hostile bytes
        reason = re.sub(r" <[^<>]* at 0x[0-9a-f]+>", "", str(error)) or type(error).__name__
        raise DataError(f"{what}: not a readable image ({reason}; {len(data)} bytes)") from error
    if picture.alpha is not None and picture.alpha.min() == picture.alpha.max():
        picture = replace(picture, alpha=None)
    if picture.pixels.dtype.kind == "f" and not np.isfinite(picture.pixels).all():
        bad = np.count_nonzero(~np.isfinite(picture.pixels))
        raise DataError(
            f"{what}: {bad} of {picture.pixels.size} pixels are NaN or infinite; expected finite "
            "grey levels"
        )
    return picture


def decode(data: bytes, what: str | Path) -> np.ndarray:
    """The levels of `read_picture`, (H, W): uint8, or a deeper type."""
    return read_picture(data, what).pixels


def read_file(path: Path) -> Picture:
    """The picture in the file `path`; raises `DataError`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    return read_picture(data, path)


def pixel_hash(pixels: np.ndarray) -> str:
    """16 hexadecimal digits that identify shape and values of (H, W) pixels.

    Equal values have equal hashes whatever their type.
    """
    digest = hashlib.sha256(f"{pixels.shape[0]}x{pixels.shape[1]}:".encode())
    with np.errstate(invalid="ignore"):  # values beyond uint8 are seen to differ below
        grey = np.ascontiguousarray(pixels, dtype=np.uint8)
    if pixels.dtype == bool or np.array_equal(grey, pixels):
        digest.update(grey.tobytes())
    else:
        digest.update(b"deep:" + np.ascontiguousarray(pixels, dtype="<f8").tobytes())
    return digest.hexdigest()[:16]


def _checked(what: str | Path, width: int, height: int, frames: int, turned: object) -> None:
    if width * height > MAX_PIXELS:
        raise DataError(f"{what}: {width}x{height} pixels, expected at most {MAX_PIXELS}")
    if frames > 1:
        raise DataError(
            f"{what}: {frames} frames in one file; expected one picture a file, so save each "
            "frame and its mask as a file of its own"
        )
    if turned not in (None, 1):
        raise DataError(
            f"{what}: it says that it is to be turned (orientation {turned}), which some readers "
            "do and others do not; save it as it is to be seen, without that tag"
        )


def _plain(data: bytes, what: str | Path, page: tiff.Page | None) -> Picture:
    """What Pillow reads without loss: up to 8 bit, and 16 bit of grey PNG."""
    with Image.open(io.BytesIO(data), formats=PICTURE_FORMATS) as opened:
        picture: Image.Image = opened
        # Of a TIFF they are counted by its structure: a thumbnail is a frame for Pillow.
        frames = 1 if page is not None else getattr(picture, "n_frames", 1)
        if page is not None:
            picture.seek(page.number)
        turned = picture.getexif().get(ORIENTATION)
        _checked(what, picture.width, picture.height, frames, turned)
        mode, stored = picture.mode, None
        if mode not in MODES:
            raise DataError(f"{what}: mode {mode}; expected one of {', '.join(MODES)}")
        if mode.startswith("I"):
            return Picture(np.array(picture).astype(np.uint16), "uint16", (0, 65535))
        if mode == "P":  # Pillow warns of a direct way when there is transparency
            stored = np.array(picture)
            picture = picture.convert("RGBA")
        alpha = np.array(picture.getchannel("A")) if picture.mode in _ALPHA else None
        coloured = False
        if picture.mode not in ("L", "1"):
            picture = picture.convert("RGB")
            coloured = _differ(*picture.split())
        return Picture(np.array(picture.convert("L")), mode, (0, 255), stored, alpha, coloured)


def _deep(data: bytes, what: str | Path, page: tiff.Page | None) -> Picture | None:
    """A file that Pillow would read with loss or not at all; None for the others."""
    if page is not None:
        _checked(what, page.width, page.height, page.frames, page.orientation)
        if page.bits <= 8 and page.kind == "u":
            # Pillow goes through all pages to come to a late one.
            simple = page.bits == 8 and page.samples == 1 and page.photometric == "MINISBLACK"
            if page.plane is None and not (simple and page.number):
                page.check_bits(what)
                return None
            if not simple:
                raise DataError(
                    f"{what}: frames of {page.photometric} of {page.bits} bit behind one "
                    "structure; expected grey of 8 bit or more, or each frame as a page"
                )
        return _joined(page.planes(data, what), f"TIFF {page.type}", page.full, page.colour)
    # The header of a PNG: its bit depth is byte 24, its colour type byte 25.
    if data[:8] == b"\x89PNG\r\n\x1a\n" and data[24:25] == b"\x10" and data[25:26] != b"\0":
        return _deep_png(data, what)
    return None


def _deep_png(data: bytes, what: str | Path) -> Picture:
    """16-bit colour, or grey with alpha, which Pillow cuts to 8 bit."""
    import cv2

    with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
        turned = picture.getexif().get(ORIENTATION)
        _checked(what, picture.width, picture.height, getattr(picture, "n_frames", 1), turned)
        picture.load()  # raises where the file is cut off, which OpenCV fills with black
    planes = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if planes is None or planes.dtype != np.uint16 or planes.ndim != 3:
        raise DataError(f"{what}: not readable as a 16-bit picture")
    order = [2, 1, 0, 3][: planes.shape[2]]  # OpenCV keeps blue first
    return _joined(planes[..., order], "uint16", (0, 65535), True)


def _joined(
    planes: np.ndarray, kind: str, full: tuple[float, float] | None, colour: bool
) -> Picture:
    """One plane of (H, W, planes): grey, or red, green, blue; what follows is alpha."""
    colours = 3 if colour else 1
    alpha = planes[..., colours] if planes.shape[2] > colours else None
    if not colour:
        return Picture(planes[..., 0], kind, full, alpha=alpha)
    red, green, blue = (planes[..., place] for place in range(3))
    coloured = _differ(red, green, blue)
    if not coloured:
        grey = red  # as it is: the weights' sum is 1 but for the last digit
    else:
        grey = planes[..., :3].astype(np.float64) @ np.array(LUMA)
    return Picture(grey, f"RGB {kind}", full, alpha=alpha, coloured=coloured)


def _differ(red: object, green: object, blue: object) -> bool:
    first = np.asarray(red)
    return not all(np.array_equal(first, np.asarray(other)) for other in (green, blue))
