"""The store of score maps: one file an image, complete or absent.

A map is a float32 `.npy` file, which `numpy.load` reads, with two things behind the array:
a line of JSON and the CRC-32 of all before it in 8 hexadecimal digits. They are verified
on reading: a damaged or stale file counts as absent and is replaced. Files are written to a
temporary name and then renamed, so a reader never sees a part; a sound map that is there stays.
A failed image leaves `NAME.failed.json`.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from istsbench.errors import RunError
from istsbench.files import atomic, tidy, write_atomic
from istsbench.provenance import environment
from istsbench.runs.outputs import maps_folder

try:
    from zlib_ng.zlib_ng import crc32  # the same numbers, an order of magnitude faster
except ImportError:  # where it has no wheel
    from zlib import crc32

STAMPS = ".environment-*.json"  # beside maps: what made them
RESERVE = 50_000_000  # bytes that must be free beyond what the maps will take


@dataclass(frozen=True)
class StoredMap:
    score: np.ndarray  # float32 (H, W)
    pixels: str  # hash of the image it was made from
    seconds: float  # time of `score` alone
    busy: float | None = None  # seconds of the processor in a second of that; None: not measured
    mask: bool = False  # it was of type bool


def read_map(data: bytes) -> StoredMap:
    """The map in the bytes of a file; raises `ValueError` if they are damaged."""
    try:
        body = io.BytesIO(data[:-8])
        if crc32(body.getbuffer()) != int(data[-8:], 16):
            raise ValueError("the checksum is wrong")
        array = np.load(body, allow_pickle=False)
        meta = json.loads(body.read())
        busy, mask = meta.get("busy"), meta.get("mask", False)
        return StoredMap(array, meta["pixels"], meta["seconds"], busy, mask)
    except (EOFError, KeyError, TypeError) as error:
        raise ValueError(f"not a map: {error}") from error


@dataclass(frozen=True)
class MapStore:
    """The maps of one method with its parameters, code version and weights."""

    folder: Path

    @classmethod
    def of(cls, out: Path, dataset: str, file: str, method_hash: str, depth: str = "") -> Self:
        """That of a method in the results folder `out`."""
        return cls(maps_folder(out, dataset, depth) / f"{file}-{method_hash}")

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    def _failure(self, name: str) -> Path:
        return self.folder / f"{name}.failed.json"

    def save(self, name: str, stored: StoredMap) -> None:
        array = np.ascontiguousarray(stored.score, dtype=np.float32)
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(head, np.lib.format.header_data_from_array_1_0(array))
        about: dict[str, object] = {"pixels": stored.pixels, "seconds": stored.seconds}
        if stored.busy is not None:
            about["busy"] = round(stored.busy, 3)
        if stored.mask:
            about["mask"] = True
        meta = json.dumps(about)
        parts = (head.getvalue(), array.data.cast("B"), b"\n" + meta.encode())
        crc = 0
        if self.has(name, stored.pixels):  # of another process; counts may have been made of it
            return
        with atomic(self._path(name)) as file:
            for part in parts:  # joining them would copy the map
                file.write(part)
                crc = crc32(part, crc)
            file.write(b"%08x" % crc)
        self._failure(name).unlink(missing_ok=True)

    def load(self, name: str) -> StoredMap | None:
        """The stored map, or None if there is none or it is damaged.

        Nothing is removed: by then the file may be a whole one of another process.
        """
        try:
            return read_map(self._path(name).read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def has(self, name: str, pixels: str) -> bool:
        """Whether an intact map of just these pixels is there."""
        stored = self.load(name)
        return stored is not None and stored.pixels == pixels

    def fail(self, name: str, pixels: str, reason: str) -> None:
        record = {"pixels": pixels, "reason": reason, "crc": _crc(pixels, reason)}
        write_atomic(self._failure(name), json.dumps(record).encode())

    def failure(self, name: str, pixels: str) -> str | None:
        """Why the image failed, or None if it has not failed on these pixels."""
        try:
            record = json.loads(self._failure(name).read_bytes())
            reason = record["reason"]
            whole = record["crc"] == _crc(pixels, reason)
            return str(reason) if whole and record["pixels"] == pixels else None
        except (FileNotFoundError, KeyError, ValueError, TypeError, RecursionError):
            return None

    def forget(self, *names: str) -> None:
        """Remove what is stored of images, so that it is made again."""
        for name in names:
            self._path(name).unlink(missing_ok=True)
            self._failure(name).unlink(missing_ok=True)

    def stamp(self, fresh: bool, device: str) -> None:
        """Leave beside the maps what makes them from now on; if that is all of them, alone.

        `device` is what the method computes on.
        """
        if fresh and not any(self.folder.rglob("*.npy")):
            for path in self.folder.glob(STAMPS):
                path.unlink(missing_ok=True)
        text = json.dumps(environment(device), sort_keys=True).encode()
        path = self.folder / STAMPS.replace("*", hashlib.sha256(text).hexdigest()[:8])
        if not path.is_file():
            write_atomic(path, text)

    def made_by(self) -> dict[str, str]:
        """What made the maps: where several machines or versions did, each of their names."""
        stamps = []
        for path in sorted(self.folder.glob(STAMPS)):
            try:
                stamps.append(dict(json.loads(path.read_bytes())))
            except (OSError, ValueError):
                continue
        stamps = stamps or [environment()]
        keys = dict.fromkeys(key for one in stamps for key in one)
        return {
            key: "; ".join(dict.fromkeys(str(one[key]) for one in stamps if key in one))
            for key in keys
        }


def _crc(*texts: str) -> int:
    return crc32(json.dumps(texts).encode())


def check_folders(*folders: Path) -> None:
    """Raise `RunError` if a folder cannot be made or written in; clear it of old litter."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
            tidy(folder)
        except OSError as error:
            raise RunError(
                f"{folder}: results cannot be written ({error.strerror or error})"
            ) from error


def check_room(out: Path, size: int) -> None:
    """Raise `RunError` if `size` bytes of maps will not fit on the disk of the folder `out`."""
    free = shutil.disk_usage(out).free
    need = size + RESERVE
    if free < need:
        raise RunError(
            f"{out}: {free / 1e9:.2f} GB are free, this run needs about {need / 1e9:.2f} GB; "
            "name another folder by --out"
        )
