"""Progress on the terminal: a live bar, or plain lines elsewhere; never silent for long."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread
from typing import Protocol

INTERVAL = 4.0  # seconds between plain lines, whether or not anything was done


class Progress(Protocol):
    """Receives what has been done."""

    def __call__(self, what: str) -> None: ...


def clock(seconds: float) -> str:
    """Seconds as 1:01 or 1:01:01."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Remaining:
    """Pieces of work of several kinds, and what is left of them.

    `pieces` holds how many there are of each kind, `costs` the seconds that one is expected to
    take. What counts is how the kinds compare: the speed is soon that of this machine. The cost
    of another kind is not guessed: it is what its pieces take, once one is done.
    """

    def __init__(
        self, pieces: Mapping[str, int], costs: Mapping[str, float], jobs: int = 1
    ) -> None:
        self.jobs, self.pieces, self.done = jobs, pieces, dict.fromkeys(pieces, 0)
        self.costs = {kind: costs[kind] for kind in pieces if kind in costs}
        self.measured = {kind for kind in pieces if kind not in costs}
        self.trust = self._seconds(pieces) / 8  # that machine and costs are alike
        self.begun: dict[str, float] = {}  # kind -> when, in seconds that were gone
        self.last, self.told = "", 0.0

    def _seconds(self, pieces: Mapping[str, int]) -> float:
        return sum(cost * pieces[kind] for kind, cost in self.costs.items())

    def add(self, what: str, gone: float) -> None:
        """One piece of a kind is done, and so many seconds are gone."""
        kind = what if what in self.pieces else ""
        self.done[kind] += 1
        begun = self.begun.setdefault(kind, self.told)  # kinds are done one after the other
        if kind in self.measured:
            self.costs[kind] = (gone - begun) * self.jobs / self.done[kind]
        self.last, self.told = what, gone

    @property
    def unknown(self) -> list[str]:
        """The kinds of which nobody knows yet what they cost."""
        return [kind for kind, many in self.pieces.items() if many and kind not in self.costs]

    def left(self, gone: float) -> float | None:
        """Seconds that are left when so many are gone, without kinds of unknown cost.

        None before anything tells of it, and while most of what is left is of unknown cost.
        """
        rest = sum(self.pieces.values()) - sum(self.done.values())
        if 2 * sum(self.pieces[kind] for kind in self.unknown) > rest:
            return None
        spent, total = self._seconds(self.done), self._seconds(self.pieces)
        if not spent:
            # Nothing is done yet: the forecast, and after half of it as long again as waited.
            return max(total / self.jobs - gone, gone) if self.trust else None
        # At first most of the time is for starting processes and for methods that cost little.
        rate = (gone + self.trust / self.jobs) / (spent + self.trust)
        return rate * (total - spent)

    def share(self) -> float:
        """How much is done, 0..1: of the time where that is known, else of the pieces."""
        done, pieces = sum(self.done.values()), sum(self.pieces.values())
        total = self._seconds(self.pieces)
        return done / pieces if self.unknown or not total else self._seconds(self.done) / total

    def text(self, gone: float) -> str:
        """`2/4, 0:10 gone, about 0:10 left (method)`."""
        left = self.left(gone)
        last = f" ({self.last})" if self.last else ""
        besides = f" besides {', '.join(self.unknown)}" if self.unknown else ""
        about = "" if left is None else f", about {clock(left)} left{besides}{last}"
        many = f"{sum(self.done.values())}/{sum(self.pieces.values())}"
        return f"{many}, {clock(gone)} gone{about}"


@contextmanager
def progress(
    title: str,
    pieces: int | Mapping[str, int],
    show: bool = True,
    costs: Mapping[str, float] | None = None,
    jobs: int = 1,
) -> Iterator[Progress]:
    """Yield a function to call once after each of some pieces, with what it was.

    `pieces` is a number, or one for each of the names that the function is called with; then
    `costs` may hold the seconds that a piece is expected to take, by name, in each of `jobs`,
    and what is left is said at once.
    """
    kinds = {"": pieces} if isinstance(pieces, int) else pieces
    work = Remaining(kinds, costs or {}, jobs)
    start = time.monotonic()

    def report(what: str) -> None:
        work.add(what, time.monotonic() - start)

    if not show or not sum(kinds.values()):
        yield lambda what: None
    elif sys.stderr.isatty():
        with _bar(title, work):
            yield report
    else:
        long = (work.left(0.0) or 0.0) > INTERVAL
        with _lines(lambda gone: f"{title}: {work.text(gone)}", first=long):
            yield report


@contextmanager
def busy(title: str, show: bool = True) -> Iterator[None]:
    """Say that work of unknown length goes on."""
    if not show:
        yield
        return
    with _lines(lambda gone: f"{title}: {clock(gone)} gone", last=False):
        yield


@contextmanager
def _lines(text: Callable[[float], str], last: bool = True, first: bool = False) -> Iterator[None]:
    """Print a line now and then, of the seconds that are gone, and `first` and `last` too."""
    start, ended = time.monotonic(), Event()

    def say() -> None:
        print(text(time.monotonic() - start), file=sys.stderr, flush=True)

    def talk() -> None:
        while not ended.wait(INTERVAL):
            say()

    if first:
        say()
    thread = Thread(target=talk, daemon=True)
    thread.start()
    try:
        yield
        if last:
            say()
    finally:
        ended.set()
        thread.join()


@contextmanager
def _bar(title: str, work: Remaining) -> Iterator[None]:
    from rich.console import Console
    from rich.progress import BarColumn, ProgressColumn, Task, TextColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    class Told(ProgressColumn):
        """What `Remaining` says, at each refresh."""

        def render(self, task: Task) -> Text:
            bar.update(task.id, completed=work.share())
            return Text(work.text(task.elapsed or 0.0))

    with Bar(
        TextColumn(title, markup=False),
        BarColumn(),
        Told(),
        console=Console(stderr=True, emoji=False),
    ) as bar:
        bar.add_task(title, total=1.0)
        yield
