"""Valid input made bad: bytes, values in JSON, pictures."""

from __future__ import annotations

import io
import json
import zlib
from typing import Any

import numpy as np
from PIL import Image

from istsbench.data.synthetic import scene

Rng = np.random.Generator

WORDS = [
    b"", b"\0", b"\n", b"\r\n", b",", b'"', b"'", b";", b"{", b"}", b"[", b"]", b":", b"null",
    b"true", b"nan", b"inf", b"-1", b"0", b"1e999", b"1e-999", b"9" * 5000,
    b"-9223372036854775809", b"1.5", b"%", b"../", b"../../etc/passwd", b"/etc/passwd", b"\\",
    b"\xff\xfe", b"\xef\xbb\xbf", b"\x1b[31m", "٣".encode(), "Å".encode(), b"=1+1", b"<script>",
    b"\\input{x}", b"# ", b"a" * 140_000, b"\x1c", b"\x85", b"[" * 3000, b"PK\x05\x06", b"IHDR",
    b"IDAT", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(64),
]  # fmt: skip
VALUES: list[object] = [
    None, True, False, 0, -1, 1, 2**63, 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf"), "",
    "a", "../../x", "\0", "\ud800", "<b>", "9" * 5000, [], {}, [[]], [None], {"": None},
    [0] * 100, {"a": [1]},
]  # fmt: skip
SIDES = 0, 1, 24, 4000, 8000, 65_535, 2**31 - 1


def spoilt(data: bytes, rng: Rng, splice: bytes = b"") -> bytes:
    """The bytes after a few changes: bits, cuts, repeats, words of formats, another's part."""
    for _ in range(int(rng.choice([1, 1, 1, 2, 4]))):
        place, length = int(rng.integers(len(data) + 1)), int(rng.integers(1, 40))
        head, part, tail = data[:place], data[place : place + length], data[place + length :]
        word = WORDS[rng.integers(len(WORDS))]
        start = int(rng.integers(len(splice))) if splice else 0
        kind = int(rng.integers(9))
        if kind <= 2 and part:  # what most often passes a first look
            data = head + bytes([part[0] ^ 1 << int(rng.integers(8))]) + data[place + 1 :]
        elif kind == 7 and rng.random() < 0.3:
            data = head
        else:
            change = {3: b"", 4: part * 2, 5: word + part, 6: word}
            data = head + change.get(kind, splice[start : start + length] + part) + tail
    return data


def spoilt_value(value: object, rng: Rng) -> object:
    """A JSON value with one part replaced, removed or renamed, at any depth."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.2:
        return VALUES[rng.integers(len(VALUES))]
    changed: Any = value.copy()
    keys = list(value) if isinstance(value, dict) else range(len(value))
    key = keys[rng.integers(len(keys))]
    if isinstance(value, dict) and rng.random() < 0.25:
        old = changed.pop(key)
        return changed if rng.random() < 0.6 else {**changed, f"{key}x": old}
    changed[key] = spoilt_value(changed[key], rng)
    return changed


def spoilt_json(data: bytes, rng: Rng) -> bytes:
    """JSON with a wrong value in one place, or wrong bytes."""
    if rng.random() < 0.3:
        return spoilt(data, rng)
    text = json.dumps(spoilt_value(json.loads(data), rng))
    return text.encode("utf-8", "surrogatepass")


def pictures(small: bool = False) -> list[bytes]:
    """Valid pictures of all kinds that the data sets hold."""
    grey = scene(24, 32).astype(np.uint8)
    base, deep = Image.fromarray(grey), Image.fromarray(grey.astype(np.uint16) * 257)
    rgb, bits, palette = (base.convert(mode) for mode in ("RGB", "1", "P"))
    kinds: list[tuple[Image.Image, str, dict]] = [
        *((base.convert(mode), "PNG", {}) for mode in ("L", "RGB", "RGBA", "LA", "P", "1")),
        (deep, "PNG", {}),
        (palette, "PNG", {"transparency": bytes(range(200))}),
        *((picture, "BMP", {}) for picture in (base, rgb)),
        *((picture, "JPEG", {}) for picture in (base, base.convert("CMYK"))),
        (rgb, "JPEG", {"progressive": True}),
        *((base, "TIFF", {"compression": kind}) for kind in (None, "tiff_lzw", "tiff_deflate")),
        (bits, "TIFF", {"compression": "group4"}),
        *((picture, "TIFF", {}) for picture in (deep, base.convert("F"))),
        *((base, form, {}) for form in ("GIF", "PPM")),
        (rgb, "EPS", {}),
        (base, "ICO", {"sizes": [(16, 16)]}),
    ]
    files = [io.BytesIO() for _ in kinds[: 8 if small else None]]
    for file, (picture, form, options) in zip(files, kinds, strict=False):
        picture.save(file, form, **options)
    return [file.getvalue() for file in files]


def one_picture(found: list[bytes], rng: Rng) -> bytes:
    """One of these pictures, spoilt, or a PNG whose header states another size."""
    data = found[rng.integers(len(found))]
    if not data.startswith(b"\x89PNG") or rng.random() > 0.15:
        return spoilt(data, rng, found[rng.integers(len(found))])
    size = b"".join(int(rng.choice(SIDES)).to_bytes(4, "big") for _ in range(2))
    chunk = b"IHDR" + size + data[24:29]
    return data[:12] + chunk + zlib.crc32(chunk).to_bytes(4, "big") + data[33:]
