"""Hostile input into every reader: a documented error or a valid result, nothing else.

    python benchmarks/fuzz.py --cases 10000            # shared out among the readers
    python benchmarks/fuzz.py images tables --seed 3   # some of them

Each case spoils a valid input in a few places, or draws one from the words of its format,
and hands it to a reader under a limit of time and of memory. Whatever ends otherwise than
by one of `DOCUMENTED`, or gives a result that breaks its promise, is a finding; it is
printed with the number that draws it again. Exit code 1 if there is any.
"""

from __future__ import annotations

import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import hostile
import numpy as np
import typer

from istsbench.errors import DataError, WeightsError, WrongUse

DOCUMENTED = (DataError, WrongUse, WeightsError)
SECONDS = 20  # that a case may take on a busy machine; most take milliseconds
MEMORY = 3 * 2**30  # bytes that a case may add to the process


class TooSlow(BaseException):
    """A case went on beyond its time; no reader may catch this as one of its own errors."""


@dataclass
class Found:
    """What came of a reader's cases."""

    cases: int = 0
    refused: int = 0
    read: int = 0
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)


@contextmanager
def limited(seconds: int, memory: int) -> Iterator[None]:
    """Inside, time and added memory are bounded: `TooSlow`, `MemoryError`."""

    def ring(*_: object) -> None:
        raise TooSlow(f"more than {seconds} s")

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    old = signal.signal(signal.SIGALRM, ring)
    most = pages * resource.getpagesize() + memory
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.signal(signal.SIGALRM, old)


def fuzz(name: str, case: hostile.Case, cases: int, seed: int = 0) -> Found:
    """Draw so many cases of a reader."""
    found, begun = Found(), time.monotonic()
    for number in range(cases):
        rng = np.random.default_rng([seed, number, *name.encode()])
        found.cases += 1
        try:
            with limited(SECONDS, MEMORY), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a library may grumble about what it reads
                case(rng)
            found.read += 1
        except DOCUMENTED as error:
            found.refused += 1
            if not str(error):
                found.findings.append(f"{name} {number}: an error without a word")
        except (Exception, TooSlow, RecursionError, SystemExit) as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(last.filename).name}:{last.lineno}"
            text = f"{name} {number}: {type(error).__name__}: {str(error)[:150]} ({where})"
            found.findings.append(text)
    found.seconds = time.monotonic() - begun
    return found


def main(
    readers: Annotated[list[str] | None, typer.Argument(help="Names; none means all.")] = None,
    cases: int = 10_000,
    seed: int = 0,
) -> None:
    """Fuzz the readers, print a table and what was found."""
    chosen = readers or list(hostile.READERS)
    if unknown := [name for name in chosen if name not in hostile.READERS]:
        known = ", ".join(hostile.READERS)
        raise typer.BadParameter(f"no reader {unknown[0]!r}; there are {known}")
    share, bad = -(-cases // len(chosen)), 0
    print(
        "| reader | cases | refused | read | seconds | findings |\n|---|---:|---:|---:|---:|---:|"
    )
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            found = fuzz(name, hostile.READERS[name](Path(folder)), share, seed)
        print(
            f"| {name} | {found.cases} | {found.refused} | {found.read} | {found.seconds:.0f} "
            f"| {len(found.findings)} |",
            flush=True,
        )
        print("\n".join(found.findings[:20]), end="\n" if found.findings else "", file=sys.stderr)
        bad += len(found.findings)
    if bad:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
