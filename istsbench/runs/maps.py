"""The store of score maps: one file an image, complete or absent.

A map is a float32 `.npy` file, which `numpy.load` reads, with two things behind the array:
a line of JSON and the CRC-32 of all before it in 8 hexadecimal digits. They are verified
on reading: a damaged file counts as absent and is made again. Files are written to a
temporary name and then renamed, so a reader never sees a part; a map that is there stays.
A failed image leaves `NAME.failed.json`.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from istsbench.files import atomic, write_atomic

try:
    from zlib_ng.zlib_ng import crc32  # the same numbers, an order of magnitude faster
except ImportError:  # where it has no wheel
    from zlib import crc32

STAMPS = ".environment-*.json"  # beside maps: what made them


@dataclass(frozen=True)
class StoredMap:
    score: np.ndarray  # float32 (H, W)
    pixels: str  # hash of the image it was made from
    seconds: float  # time of `score` alone


def read_map(data: bytes) -> StoredMap:
    """The map in the bytes of a file; raises `ValueError` if they are damaged."""
    try:
        body = io.BytesIO(data[:-8])
        if crc32(body.getbuffer()) != int(data[-8:], 16):
            raise ValueError("the checksum is wrong")
        array = np.load(body, allow_pickle=False)
        meta = json.loads(body.read())
        return StoredMap(array, meta["pixels"], meta["seconds"])
    except (EOFError, KeyError, TypeError) as error:
        raise ValueError(f"not a map: {error}") from error


@dataclass(frozen=True)
class MapStore:
    """The maps of one method with its parameters, code version and weights."""

    folder: Path

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    def _failure(self, name: str) -> Path:
        return self.folder / f"{name}.failed.json"

    def save(self, name: str, stored: StoredMap) -> None:
        array = np.ascontiguousarray(stored.score, dtype=np.float32)
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(head, np.lib.format.header_data_from_array_1_0(array))
        meta = json.dumps({"pixels": stored.pixels, "seconds": stored.seconds})
        parts = (head.getvalue(), array.data.cast("B"), b"\n" + meta.encode())
        crc = 0
        with atomic(self._path(name), keep=True) as file:
            for part in parts:  # joining them would copy the map
                file.write(part)
                crc = crc32(part, crc)
            file.write(b"%08x" % crc)
        self._failure(name).unlink(missing_ok=True)

    def load(self, name: str) -> StoredMap | None:
        """The stored map, or None if there is none or it is damaged (then removed)."""
        path = self._path(name)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return read_map(data)
        except ValueError:
            path.unlink(missing_ok=True)
            return None

    def has(self, name: str, pixels: str) -> bool:
        """Whether an intact map of just these pixels is there; a stale one is removed."""
        stored = self.load(name)
        if stored is not None and stored.pixels != pixels:
            self._path(name).unlink(missing_ok=True)
            return False
        return stored is not None

    def fail(self, name: str, pixels: str, reason: str) -> None:
        record = {"pixels": pixels, "reason": reason, "crc": _crc(pixels, reason)}
        write_atomic(self._failure(name), json.dumps(record).encode())

    def failure(self, name: str, pixels: str) -> str | None:
        """Why the image failed, or None if it has not failed on these pixels."""
        try:
            record = json.loads(self._failure(name).read_bytes())
            reason = str(record["reason"])
            whole = record.get("crc") in (None, _crc(pixels, reason))  # older ones have none
            return reason if whole and record["pixels"] == pixels else None
        except (FileNotFoundError, KeyError, ValueError, TypeError, RecursionError):
            return None

    def forget(self, name: str) -> None:
        """Remove what is stored of an image, so that it is made again."""
        self._path(name).unlink(missing_ok=True)
        self._failure(name).unlink(missing_ok=True)


def _crc(*texts: str) -> int:
    return crc32(json.dumps(texts).encode())
