"""Functions that numba compiles: what is compiled is kept in the user's cache folder.

Left alone, numba writes beside the module. An installed package would then hold files that
pip does not know and leaves behind, where Python takes the rest of a folder for a package.
So all of ours are compiled by `njit` from here:

    from istsbench.compiled import njit

    @njit
    def grow(image): ...

numba is imported, and a function compiled, at its first call: importing a method stays quick.

A folder that the user chose (NUMBA_CACHE_DIR) is used. Where the folder cannot be written,
functions are compiled in each process and nothing is kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache, cached_property, update_wrapper
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

CACHE_BYTES = 2**18  # bytes, more than a compiled function takes; every process tries them


def njit(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """As `numba.njit`, with or without options, kept in the user's cache folder."""
    if function is None:
        return lambda function: Compiled(function, options)
    return Compiled(function, options)


class Compiled:
    """A function that is compiled when it is first called, from Python or from another one."""

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        self.function, self.options = function, options
        update_wrapper(self, function)

    def __call__(self, *arguments: Any) -> Any:
        return self.dispatcher(*arguments)

    @cached_property
    def dispatcher(self) -> Any:
        """The function as numba knows it."""
        numba = _numba()
        before = numba.config.CACHE_DIR
        folder = Path(before).absolute() if before else user_cache_path("istsbench") / "numba"
        if not _has_room(folder):
            return numba.njit(**self.options)(self.function)
        # numba asks for the folder once, when a function is declared; others may have their own.
        numba.config.CACHE_DIR = str(folder)
        try:
            return numba.njit(cache=True, **self.options)(self.function)
        finally:
            numba.config.CACHE_DIR = before


@cache
def _numba() -> Any:
    """numba, which is told to take a `Compiled` in compiled code for its function."""
    import numba
    from numba.extending import typeof_impl

    @typeof_impl.register(Compiled)
    def typeof(function: Compiled, context: Any) -> Any:
        return typeof_impl(function.dispatcher, context)

    return numba


@cache
def _has_room(folder: Path) -> bool:
    """Whether files can be made and filled there; a full disk shows only in the second."""
    if not folder.is_absolute():  # without a home, "~" stays as it is
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(CACHE_BYTES))
    except OSError:
        return False
    return True
