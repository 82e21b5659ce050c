"""Valid input made bad: bytes, values in JSON, pictures."""

from __future__ import annotations

import io
import json
import zlib

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


def spoilt(data: bytes, rng: Rng, splice: bytes = b"") -> bytes:
    """The bytes after a few changes: bits, cuts, repeats, words of formats, another's part."""
    for _ in range(int(rng.choice([1, 1, 1, 2, 4]))):
        place = int(rng.integers(len(data) + 1))
        length = int(rng.integers(1, 40))
        kind = int(rng.integers(9))
        if kind <= 2 and data:
            changed = bytearray(data)
            changed[place % len(data)] ^= 1 << int(rng.integers(8))
            data = bytes(changed)
        elif kind == 3:
            data = data[:place] + data[place + length :]
        elif kind == 4:
            data = data[:place] + data[place : place + length] * 2 + data[place + length :]
        elif kind == 5:
            data = data[:place] + WORDS[rng.integers(len(WORDS))] + data[place:]
        elif kind == 6:
            data = data[:place] + WORDS[rng.integers(len(WORDS))] + data[place + length :]
        elif kind == 7 and rng.random() < 0.3:
            data = data[:place]
        elif splice:
            start = int(rng.integers(len(splice)))
            data = data[:place] + splice[start : start + length] + data[place:]
    return data


VALUES: list[object] = [
    None, True, False, 0, -1, 1, 2**63, 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf"), "",
    "a", "../../x", "\0", "\ud800", "<b>", "9" * 5000, [], {}, [[]], [None], {"": None},
    [0] * 100, {"a": [1]},
]  # fmt: skip


def spoilt_value(value: object, rng: Rng) -> object:
    """A JSON value with one part replaced, removed or moved, at any depth."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = list(value)[rng.integers(len(value))]
        changed = dict(value)
        if rng.random() < 0.15:
            del changed[key]
        elif rng.random() < 0.1:
            changed[f"{key}x"] = changed.pop(key)
        else:
            changed[key] = spoilt_value(value[key], rng)
        return changed
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = int(rng.integers(len(value)))
        return [*value[:place], spoilt_value(value[place], rng), *value[place + 1 :]]
    return VALUES[rng.integers(len(VALUES))]


def spoilt_json(data: bytes, rng: Rng) -> bytes:
    """JSON with a wrong value in one place, or wrong bytes."""
    if rng.random() < 0.3:
        return spoilt(data, rng)
    text = json.dumps(spoilt_value(json.loads(data), rng))
    return text.encode("utf-8", "surrogatepass")


def pictures(small: bool = False) -> list[bytes]:
    """Valid pictures of all kinds that the data sets hold."""
    grey = scene(24, 32).astype(np.uint8)
    base = Image.fromarray(grey)
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    kinds: list[tuple[Image.Image, str, dict]] = [
        *((base.convert(mode), "PNG", {}) for mode in ("L", "RGB", "RGBA", "LA", "P", "1")),
        (deep, "PNG", {}),
        (base.convert("P"), "PNG", {"transparency": bytes(range(200))}),
        (base, "BMP", {}),
        (base.convert("RGB"), "BMP", {}),
        (base, "JPEG", {}),
        (base.convert("RGB"), "JPEG", {"progressive": True}),
        (base.convert("CMYK"), "JPEG", {}),
        *((base, "TIFF", {"compression": kind}) for kind in (None, "tiff_lzw", "tiff_deflate")),
        (base.convert("1"), "TIFF", {"compression": "group4"}),
        (deep, "TIFF", {}),
        (base.convert("F"), "TIFF", {}),
        (base, "GIF", {}),
        (base, "PPM", {}),
        (base.convert("RGB"), "EPS", {}),
        (base, "ICO", {"sizes": [(16, 16)]}),
    ]
    found = []
    for picture, form, options in kinds[:8] if small else kinds:
        file = io.BytesIO()
        picture.save(file, form, **options)
        found.append(file.getvalue())
    return found


def resized_header(data: bytes, rng: Rng) -> bytes:
    """A PNG whose header states another size, its checksum right: a bomb of a kind."""
    sides = [0, 1, 24, 4000, 8000, 65_535, 2**31 - 1]
    width, height = (int(sides[rng.integers(len(sides))]).to_bytes(4, "big") for _ in range(2))
    chunk = b"IHDR" + width + height + data[24:29]
    return data[:12] + chunk + zlib.crc32(chunk).to_bytes(4, "big") + data[33:]


def drawn_picture(found: list[bytes], rng: Rng) -> bytes:
    data = found[rng.integers(len(found))]
    if data.startswith(b"\x89PNG") and rng.random() < 0.15:
        return resized_header(data, rng)
    return spoilt(data, rng, found[rng.integers(len(found))])
