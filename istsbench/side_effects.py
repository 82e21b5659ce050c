"""What a call leaves behind in its process (settings, random state, printed text); threads."""

from __future__ import annotations

import io
import os
import pickle
import random
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO

import numpy as np

Read = Callable[[], Any]
Write = Callable[[Any], object]


def use_one_thread() -> Any:
    """Limit BLAS, OpenMP and OpenCV to one thread in this process.

    These read no environment variable once they are loaded. Returns what undoes it for the
    first two, `threadpoolctl.threadpool_limits`.
    """
    import cv2
    from threadpoolctl import threadpool_limits

    cv2.setNumThreads(1)
    return threadpool_limits(1)


@contextmanager
def one_thread() -> Iterator[None]:
    """As `use_one_thread`, inside a `with` block."""
    import cv2

    before = cv2.getNumThreads()
    limits = use_one_thread()
    try:
        yield
    finally:
        limits.restore_original_limits()
        cv2.setNumThreads(before)


class _Kept:
    """A stream that a method cannot close."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def close(self) -> None:
        self.stream.flush()


@contextmanager
def contained() -> Iterator[None]:
    """What a method sets inside ends with it, and both streams are still open.

    That is the working folder, environment variables, filters of warnings, numpy's errors.
    """
    folder, before = os.getcwd(), dict(os.environ)
    try:
        with (
            np.errstate(),
            warnings.catch_warnings(),
            redirect_stdout(_Kept(sys.stdout)),  # type: ignore[type-var]
            redirect_stderr(_Kept(sys.stderr)),  # type: ignore[type-var]
        ):
            yield
    finally:
        if os.getcwd() != folder:
            os.chdir(folder)
        if dict(os.environ) != before:
            os.environ.clear()
            os.environ.update(before)


def random_state() -> dict[str, object]:
    """The state of the global generators of random numbers that are loaded."""
    numpy_state = pickle.dumps(np.random.get_state())  # noqa: NPY002
    found: dict[str, object] = {"random": random.getstate(), "numpy.random": numpy_state}
    if "torch" in sys.modules:
        found["torch"] = sys.modules["torch"].random.get_rng_state().tolist()
    return found


def _settings() -> dict[str, tuple[Read, Write]]:
    """How the settings of the libraries that are loaded are read and written, by name."""
    found: dict[str, tuple[Read, Write]] = {
        "the warning filters": (lambda: list(warnings.filters), _set_filters),
        "numpy.seterr": (np.geterr, lambda value: np.seterr(**value)),
        "os.environ": (lambda: dict(os.environ), _set_environment),
        "the working directory": (os.getcwd, os.chdir),
        "the threads of BLAS or OpenMP": (_pool_threads, _set_pool_threads),
    }
    if "cv2" in sys.modules:
        cv2 = sys.modules["cv2"]
        found["cv2.setNumThreads"] = cv2.getNumThreads, cv2.setNumThreads
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        found["torch.set_num_threads"] = torch.get_num_threads, torch.set_num_threads
        found["torch.set_grad_enabled"] = torch.is_grad_enabled, torch.set_grad_enabled
        found["torch.set_default_dtype"] = torch.get_default_dtype, torch.set_default_dtype
    return found


def changed_settings(call: Callable[[], object]) -> list[str]:
    """The names of the settings that `call` changes; all are as before afterwards.

    It is called twice: what it imports late may change settings, once, and is not its
    own doing.
    """
    before = {name: (read(), write) for name, (read, write) in _settings().items()}
    try:
        call()
        _restore(before)
        again = {name: (read(), read) for name, (read, _) in _settings().items()}
        call()
        return [name for name, (value, read) in again.items() if read() != value]
    finally:
        _restore(before)


def _restore(values: dict[str, tuple[Any, Write]]) -> None:
    for value, write in values.values():
        write(value)


def _set_filters(value: list[Any]) -> None:
    warnings.resetwarnings()  # tells the interpreter to look again
    warnings.filters[:] = value  # type: ignore[index]


def _set_environment(value: dict[str, str]) -> None:
    if dict(os.environ) != value:
        os.environ.clear()
        os.environ.update(value)


def _pool_threads() -> dict[str, int]:
    from threadpoolctl import threadpool_info

    return {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}


def _set_pool_threads(value: dict[str, int]) -> None:
    from threadpoolctl import ThreadpoolController

    for pool in ThreadpoolController().lib_controllers:
        if pool.filepath in value and pool.num_threads != value[pool.filepath]:
            pool.set_num_threads(value[pool.filepath])


def printed(call: Callable[[], object]) -> str:
    """What `call` writes to standard output and error, by Python or by a library in C.

    Warnings count, but for those about deprecated features of a library.
    """
    text = io.StringIO()
    kept = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as file, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        try:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            with redirect_stdout(text), redirect_stderr(text):
                call()
        finally:
            for number, copy in enumerate(kept, start=1):
                os.dup2(copy, number)
                os.close(copy)
        file.seek(0)
        warned = [f"{item.category.__name__}: {item.message}" for item in caught]
        return text.getvalue() + file.read().decode(errors="replace") + "\n".join(warned)
