"""Functions that numba compiles: what is compiled is kept in the user's cache folder.

Left alone, numba writes beside the module. An installed package would then hold files that
pip does not know and leaves behind, where Python takes the rest of a folder for a package.
So all of ours are compiled by `njit` from here:

    from istsbench.compiled import njit

    @njit
    def grow(image): ...

A folder that the user chose (NUMBA_CACHE_DIR) is used. Where the folder cannot be written,
functions are compiled in each process and nothing is kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from platformdirs import user_cache_path

ROOM = 2**22  # bytes, more than all of ours take


def njit(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """As `numba.njit`, with or without options, kept in the user's cache folder."""
    if function is None:
        return lambda function: njit(function, **options)
    settings: Any = numba.config
    before = settings.CACHE_DIR
    folder = Path(before).absolute() if before else user_cache_path("istsbench") / "numba"
    if not _has_room(folder):
        return numba.njit(**options)(function)
    # numba asks for the folder once, when a function is declared; others may have their own.
    settings.CACHE_DIR = str(folder)
    try:
        return numba.njit(cache=True, **options)(function)
    finally:
        settings.CACHE_DIR = before


@cache
def _has_room(folder: Path) -> bool:
    """Whether files can be made and filled there; a full disk shows only in the second."""
    if not folder.is_absolute():  # without a home, "~" stays as it is
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(ROOM))
    except OSError:
        return False
    return True
