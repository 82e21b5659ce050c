"""Files that are whole or absent: written to a temporary name, then renamed."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

DAY = 86_400  # seconds; nobody writes one file for as long


@contextmanager
def atomic(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that becomes `path` once it is whole, or leaves no trace."""
    part = path.parent / f".{uuid.uuid4().hex}.part"  # tempfile would hide it from other users
    try:
        try:
            file = open(part, "xb")
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = open(part, "xb")
        with file:
            yield file
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_atomic(path: Path, data: bytes) -> None:
    """Write a whole file or nothing."""
    with atomic(path) as file:
        file.write(data)


def write_together(files: Iterable[tuple[Path, bytes]]) -> None:
    """Write several files that are not there yet, or none of them.

    They appear in their order, once all are on the disk.
    """
    parts: dict[Path, Path] = {}
    made: list[Path] = []
    try:
        for path, data in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            parts[path] = path.parent / f".{uuid.uuid4().hex}.part"
            parts[path].write_bytes(data)
        for path, part in parts.items():
            os.replace(part, path)
            made.append(path)
    except BaseException:
        for path in (*parts.values(), *made):
            path.unlink(missing_ok=True)
        raise


def tidy(folder: Path) -> None:
    """Remove unfinished files that killed processes left in a folder more than a day ago.

    A younger one may be what another process is writing at this moment.
    """
    for part in folder.glob(f".{'[0-9a-f]' * 32}.part"):
        try:
            if time.time() - part.stat().st_mtime > DAY:
                part.unlink()
        except OSError:  # gone meanwhile, or another user's: it harms nobody
            continue
