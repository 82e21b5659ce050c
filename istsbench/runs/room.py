"""What a run needs of the disk, asked for before any work is done."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from istsbench.errors import RunError
from istsbench.files import tidy

RESERVE = 50_000_000  # bytes that must be free beyond what the maps will take


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
