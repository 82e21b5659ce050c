"""Progress on the terminal: a live bar, or a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

INTERVAL = 10.0  # seconds between plain lines


class Progress(Protocol):
    """Receives what has been done."""

    def __call__(self, what: str) -> None: ...


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return (
        f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
        if minutes >= 60
        else f"{minutes}:{rest:02d}"
    )


@contextmanager
def progress(title: str, total: int, show: bool = True) -> Iterator[Progress]:
    """Yield a function to call once after each of `total` pieces, with what it was."""
    if not show or not total:
        yield lambda what: None
    elif sys.stderr.isatty():
        yield from _bar(title, total)
    else:
        yield _Lines(title, total)


def _bar(title: str, total: int) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[what]}"),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, what="")
        yield lambda what: bar.update(task, advance=1, what=what)


class _Lines:
    def __init__(self, title: str, total: int) -> None:
        self.title, self.total, self.done = title, total, 0
        self.start = self.said = time.monotonic()

    def __call__(self, what: str) -> None:
        self.done += 1
        now = time.monotonic()
        if now - self.said < INTERVAL and self.done < self.total:
            return
        self.said = now
        left = (now - self.start) / self.done * (self.total - self.done)
        print(
            f"{self.title}: {self.done}/{self.total}, {_clock(now - self.start)} gone, "
            f"about {_clock(left)} left ({what})",
            file=sys.stderr,
            flush=True,
        )
