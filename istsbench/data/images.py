"""From an image file to 8-bit grey pixels, in one place.

Every mode that the data sets contain is converted explicitly: grey, colour (luma
0.299 R + 0.587 G + 0.114 B, rounded), alpha (ignored), palette, 1 bit (0 and 255),
16 bit (full scale to 255).
"""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from istsbench.errors import DataError

MAX_PIXELS = 64_000_000  # a larger picture is refused: no sensor of this field comes near
FORMATS = ("PNG", "BMP", "DIB", "JPEG", "TIFF")  # others may start programs: EPS does


def decode(data: bytes, what: str | Path) -> np.ndarray:
    """Grey pixels, uint8 (H, W), of an encoded image; `what` names it in errors.

    Raises `DataError` if the bytes are no image, are cut off, or hold too many pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
                picture: Image.Image = opened
                if picture.width * picture.height > MAX_PIXELS:
                    raise DataError(
                        f"{what}: {picture.width}x{picture.height} pixels, expected at most "
                        f"{MAX_PIXELS}"
                    )
                if picture.mode.startswith("I") or picture.mode == "F":
                    return _from_deep(np.asarray(picture), picture.mode, what)
                if picture.mode == "P":  # Pillow warns of a direct way when there is transparency
                    picture = picture.convert("RGBA")
                if picture.mode not in ("L", "1"):
                    picture = picture.convert("RGB")
                return np.array(picture.convert("L"))
    except DataError:
        raise
    except Exception as error:  # Pillow raises many kinds on hostile bytes
        raise DataError(
            f"{what}: not a readable image ({error or type(error).__name__}; {len(data)} bytes)"
        ) from error


def _from_deep(pixels: np.ndarray, mode: str, what: str | Path) -> np.ndarray:
    if mode == "F" or pixels.min() < 0 or pixels.max() > 65535:
        raise DataError(f"{what}: mode {mode} with values outside 0..65535, expected 8 or 16 bit")
    return np.rint(pixels / 257).astype(np.uint8)


def read_grey(path: Path) -> np.ndarray:
    """Grey pixels, uint8 (H, W), of the file `path`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    return decode(data, path)


def picture_mode(data: bytes) -> str:
    """Pillow's name of how an intact encoded image keeps its pixels: L, RGB, P, 1, I;16, ..."""
    with Image.open(io.BytesIO(data)) as picture:
        return picture.mode


def pixel_hash(pixels: np.ndarray) -> str:
    """16 hexadecimal digits that identify shape and values of uint8 or bool pixels."""
    digest = hashlib.sha256(f"{pixels.shape[0]}x{pixels.shape[1]}:".encode())
    digest.update(np.ascontiguousarray(pixels, dtype=np.uint8).tobytes())
    return digest.hexdigest()[:16]
