"""Calls in processes of our own, one at a time in each.

So it is always known which call a process was at when it died, and a process that is late
can be ended without harm to the others. A process is replaced when it is lost. A call that was
lost by a death is tried once more while nothing else runs, since the memory may have been
taken by its neighbours.

No library does this. After one death `concurrent.futures` (before Python 3.14, and then for all
workers at once), joblib and loky give up every call that waits; `multiprocessing.Pool` waits for
ever. Pebble (5.2) loses one call, but its pool is broken when an idle worker dies, its limit
counts from when a call is handed over, so that compiling and loading weights count, and its
workers share one lock, which a killed one may hold. Processes are started by loky, which joblib
brings, and not by multiprocessing: these need no `if __name__ == "__main__"` in a user's script.
"""

from __future__ import annotations

import os
import pickle
import signal
import tempfile
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import inf
from multiprocessing.connection import Connection, wait
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

from istsbench.errors import DataError, RunError
from istsbench.side_effects import use_one_thread

DIED = "the process that scored this image died (out of memory?)"
WARM_UP = 60.0  # seconds that a call has at least before it begins: imports, compiling
STARTS = 3  # processes in a row that may end, or be late, before they are ready
READY = 600.0  # seconds that a process may take to start, load libraries and what all share
TICK = 1.0  # seconds after which a silent process is looked at
LIBRARIES = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMBA", "NUMEXPR")
ONE_THREAD = {**{f"{name}_NUM_THREADS": "1" for name in LIBRARIES}, "VECLIB_MAXIMUM_THREADS": "1"}

Begin = Callable[..., object]  # to be called when what is limited in time begins; False: never
Answers = Generator[tuple[Any, Any], None, None]  # of (call, what came of it)


@dataclass(frozen=True)
class Lost:
    """Instead of an answer: why there is none."""

    reason: str


def pack(*values: Any) -> bytes:
    """What each process gets once; by value what was defined in a script."""
    from cloudpickle import dumps

    return bytes(dumps(values))


def _listen(pipe: Connection, calls: SimpleQueue[tuple]) -> None:
    """Take calls while another is worked on, so that the end of the run is noticed at once."""
    while True:
        try:
            calls.put(pipe.recv())
        except (EOFError, OSError):
            os._exit(1)  # nobody waits for an answer any more


def _serve(pipe: Connection, file: Path) -> None:
    """The life of a process: answer calls until the pipe closes."""
    calls: SimpleQueue[tuple] = SimpleQueue()
    Thread(target=_listen, args=(pipe, calls), daemon=True).start()
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # for the process that started this one
        use_one_thread()
        function, shared = pickle.loads(file.read_bytes())
        pipe.send(("ready", None))

        def begin(limited: bool = True) -> None:
            pipe.send(("began", limited))

        while True:
            answer = function(shared, *calls.get(), begin)
            pipe.send(("answer", answer))
    except OSError as error:
        pipe.send(("error", OSError(*error.args)))
    except DataError as error:
        pipe.send(("error", DataError(*error.args)))
    except BaseException as error:
        pipe.send(("error", RuntimeError("".join(traceback.format_exception(error)))))


class _Worker:
    """A process as its owner sees it."""

    def __init__(self, file: Path) -> None:
        from joblib.externals.loky.backend import get_context

        context = get_context("loky")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, file), env=ONE_THREAD)
        self.process.start()
        theirs.close()
        self.ready = False
        self.call: tuple | None = None
        self.alone = False
        self.limit(READY)

    def limit(self, seconds: float | None) -> None:
        """From now on, until the next message."""
        self.seconds = seconds
        self.deadline = inf if seconds is None else time.monotonic() + seconds

    def give(self, call: tuple, alone: bool, seconds: float | None) -> None:
        self.call, self.alone = call, alone
        self.limit(seconds)
        try:
            self.pipe.send(call)
        except OSError:  # it died while idle; its silent pipe will say so
            return

    def message(self) -> tuple[str, Any]:
        try:
            event, value = self.pipe.recv()
        except (EOFError, OSError):
            return "died", Lost(DIED)
        return str(event), value

    def end(self) -> None:
        self.pipe.close()
        if self.process.is_alive():
            os.kill(self.process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        self.process.join()


def in_processes(
    function: Callable[..., Any],
    shared: Any,
    calls: Iterable[tuple],
    jobs: int,
    timeout: float | None = None,
) -> Answers:
    """Yield (call, `function(shared, *call, begin)`) in the order in which they are done.

    `calls` are taken when a process is free, one at a time in each of `jobs` processes. The
    answer is `Lost` if its process died twice, or took more than `timeout` seconds after it
    called `begin`. Raises `OSError` or `DataError` if the function does, and `RuntimeError`
    with the traceback of any other exception, or if the processes cannot start. Close it
    after use.
    """
    with tempfile.TemporaryDirectory(prefix="istsbench-") as folder:
        file = Path(folder) / "shared"  # through a pipe, each would wait until the last has read
        file.write_bytes(pack(function, shared))
        team = [_Worker(file) for _ in range(jobs)]
        try:
            yield from _answers(team, file, iter(calls), timeout)
        finally:
            for worker in team:
                worker.end()


def each(
    function: Callable[..., Any], shared: Any, titles: Sequence[str], jobs: int
) -> Generator[tuple[int, Any], None, None]:
    """Yield (number, `function(shared, number, begin)`) for each title, in up to `jobs` processes.

    With one it is this process, and answers come in their order. Close it after use. Raises
    what `in_processes` does, and `RunError` with the title of a call that was lost.
    """
    calls = [(number,) for number in range(len(titles))]
    if min(jobs, len(calls)) < 2:
        for call in calls:
            yield *call, function(shared, *call, lambda *_: None)
        return
    with closing(in_processes(function, shared, calls, min(jobs, len(calls)))) as answers:
        for (number,), answer in answers:
            if isinstance(answer, Lost):
                raise RunError(
                    f"the process died that worked on {titles[number]} (out of memory?); "
                    "what is done is kept, try fewer --jobs"
                )
            yield number, answer


def _answers(
    team: list[_Worker], file: Path, calls: Iterator[tuple], timeout: float | None
) -> Answers:
    suspects: deque[tuple] = deque()
    failed_starts = 0
    while _assign(team, calls, suspects, timeout):
        for place, event, value in _events(team):
            worker = team[place]
            if event == "error":
                raise value
            if event == "ready":
                worker.ready, failed_starts = True, 0
                worker.limit(None)
            elif event == "began":
                worker.limit(timeout if value else None)
            else:
                call, worker.call = worker.call, None
                worker.limit(None)
                if event != "answer":
                    worker.end()
                    team[place] = _Worker(file)
                    failed_starts += not worker.ready
                if failed_starts == STARTS:
                    why = f"ended with code {worker.process.exitcode}; too little memory?"
                    if event == "late":
                        why = f"was not ready after {READY:g} s; a slow disk, or too many of them?"
                    raise RuntimeError(
                        f"{STARTS} processes did nothing, the last {why} Try fewer --jobs"
                    )
                if event == "died" and call is not None and not worker.alone:
                    suspects.append(call)
                elif call is not None:
                    yield call, value


def _assign(
    team: list[_Worker], calls: Iterator[tuple], suspects: deque[tuple], timeout: float | None
) -> bool:
    """Give calls to who is free, a suspect only if all are; False once all are answered."""
    free = [worker for worker in team if worker.ready and worker.call is None]
    busy = [worker for worker in team if worker.call is not None]
    seconds = None if timeout is None else max(timeout, WARM_UP)
    if suspects:
        if free and not busy:
            free[0].give(suspects.popleft(), True, seconds)
        return True
    if any(worker.alone for worker in busy):
        return True
    for worker in free:
        call = next(calls, None)
        if call is None:
            return bool(busy)
        worker.give(call, False, seconds)
        busy.append(worker)
    return True


def _events(team: Sequence[_Worker]) -> Iterator[tuple[int, str, Any]]:
    """(place, event, value) for each process that said something, died or is late."""
    left = min(worker.deadline for worker in team) - time.monotonic()
    speaking = wait([worker.pipe for worker in team], max(min(TICK, left), 0))
    now = time.monotonic()
    for place, worker in enumerate(list(team)):
        if worker.pipe in speaking:
            yield place, *worker.message()
        elif now >= worker.deadline:
            yield place, "late", Lost(f"took longer than {worker.seconds:g} s")
        elif not speaking and not worker.process.is_alive():  # a child of it may hold the pipe
            yield place, "died", Lost(DIED)
