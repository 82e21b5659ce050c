"""The calls of a run on a Dask cluster, instead of in processes here.

The workers of the cluster must see the results folder and the data under the same paths as
this process, as on a shared file system, have the same istsbench, and run one thread each
(`dask worker ADDRESS --nthreads 1`). Each image is a task. What a worker needs besides lies
in a file in the results folder, which shows at once whether the folder is shared.

Dask itself moves the task of a worker that dies to another one, as often as its scheduler is
set to (`distributed.scheduler.allowed-failures`). A task that it gives up is tried once more
while nothing else runs, because Dask blames all tasks of a dead worker.
"""

from __future__ import annotations

import faulthandler
import pickle
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import chdir, contextmanager
from functools import lru_cache
from math import inf
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from istsbench.errors import DataError, RunError
from istsbench.files import write_atomic
from istsbench.runs.pool import DIED, WARM_UP, Answers, Begin, Lost, pack
from istsbench.side_effects import one_thread

CALLS_AHEAD = 2  # tasks that a worker has or waits for, so that it is not idle meanwhile
WAIT = 30  # seconds for the scheduler to answer, and for a first worker
REFRESH = 5.0  # seconds after which workers are counted again
PATIENCE = 300.0  # seconds without any worker after which a run ends: a queue may send new ones


def on_cluster(
    function: Callable[..., Any],
    shared: Any,
    calls: Iterable[tuple],
    address: str,
    folder: Path,
    timeout: float | None = None,
) -> Answers:
    """Like `workers.in_processes`, on the cluster whose scheduler is at `address`.

    The answers themselves stay there: they are None or `Lost`. `shared.look()` is called once
    in each worker and raises `DataError` if the data cannot be read there. Raises `RunError`
    if the cluster cannot be used.
    """
    client = _connect(address)
    file = (folder / f".{uuid.uuid4().hex}.run").resolve()
    try:
        write_atomic(file, pack(Path.cwd(), function, shared))
        yield from _answers(client, str(file), iter(calls), timeout)
    finally:
        client.close()
        for path in file.parent.glob(f"{file.name}*"):  # and the notes of tasks that were late
            path.unlink(missing_ok=True)


def _connect(address: str) -> Any:
    """A client of a cluster with workers of one thread each."""
    try:
        from distributed import Client
    except ImportError as error:
        raise RunError('--scheduler needs Dask: pip install "istsbench[cluster]"') from error
    try:
        make: Any = Client
        client = make(address, timeout=WAIT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise RunError(f"no Dask scheduler answers at {address!r}: {error}") from error
    try:
        client.wait_for_workers(1, timeout=WAIT)
        wide = {name: threads for name, threads in client.nthreads().items() if threads != 1}
        if wide:
            name, threads = next(iter(wide.items()))
            raise RunError(
                f"the worker {name} has {threads} threads, expected one: methods score one image "
                "a process; start workers with `dask worker ADDRESS --nthreads 1 --nworkers N`"
            )
    except TimeoutError as error:
        client.close()
        raise RunError(f"the cluster at {address} has no worker after {WAIT} s") from error
    except BaseException:
        client.close()
        raise
    return client


def _answers(client: Any, file: str, calls: Iterator[tuple], timeout: float | None) -> Answers:
    flying: dict[str, tuple[Any, tuple]] = {}  # key -> task, call
    suspects: deque[tuple] = deque()
    landed: SimpleQueue[Any] = SimpleQueue()
    alone = False
    counted, workers, seen = -inf, 1, time.monotonic()
    while True:
        if time.monotonic() - counted > REFRESH:
            counted, workers = time.monotonic(), len(client.nthreads())
            seen = counted if workers else seen
            if counted - seen > PATIENCE:
                raise RunError(
                    f"the cluster has had no worker for {PATIENCE:g} s; what is done is kept"
                )
        if not flying:
            alone = bool(suspects)
        while call := _next(len(flying), suspects, calls, alone, CALLS_AHEAD * workers):
            key = f"istsbench-{uuid.uuid4().hex}"
            task = client.submit(_do, file, call, key, timeout, key=key, pure=False)
            flying[key] = task, call
            task.add_done_callback(landed.put)
        if not flying:
            return
        try:
            task = landed.get(timeout=REFRESH)
        except Empty:
            continue
        _, call = flying.pop(task.key)
        died = _died(task)
        if late := _late(Path(f"{file}.{task.key}")):
            yield call, late
        elif not died:
            yield call, None
        elif alone:
            yield call, Lost(DIED)
        else:
            suspects.append(call)


def _next(
    flying: int, suspects: deque[tuple], calls: Iterator[tuple], alone: bool, most: int
) -> tuple | None:
    """What may be sent off now: a suspect by itself, or else as much as keeps all busy."""
    if alone:
        return suspects.popleft() if not flying else None
    if suspects or flying >= max(most, 1):
        return None
    return next(calls, None)


def _died(task: Any) -> bool:
    """Whether the workers of a task that is done died; raises what else ends the run."""
    from distributed import KilledWorker

    if task.status == "cancelled":
        raise RunError("the cluster is gone; what is done is kept")
    # A task that was finished is "lost" as soon as the worker that holds its answer leaves. What
    # it wrote is there, and to ask for its exception would wait until Dask has done it again.
    if task.status != "error":
        return False
    error = task.exception()
    if isinstance(error, KilledWorker):
        return True
    if isinstance(error, OSError | RunError):
        raise error
    raise RunError(f"a worker of the cluster failed: {type(error).__name__}: {error}") from error


# ---- the limit of time: a watchdog in the worker, which leaves a note


def _late(note: Path) -> Lost | None:
    """What the note of a task says, if its process was ended by the watchdog."""
    try:
        limits, late, _ = note.read_text().partition("Timeout")
    except FileNotFoundError:
        return None
    return Lost(f"took longer than {limits.split()[-1]} s") if late else None


@contextmanager
def _watched(note: Path, timeout: float | None) -> Iterator[Begin]:
    """Until the end of the block, end the process if it takes too long."""
    if timeout is None:
        yield lambda: None
        return
    with open(note, "a") as file:

        def within(seconds: float) -> None:
            print(f"{seconds:g}", file=file, flush=True)
            # It needs no turn of the interpreter, which a method in C code may not give back.
            faulthandler.dump_traceback_later(seconds, exit=True, file=file)

        try:
            within(max(timeout, WARM_UP))
            yield lambda: within(timeout)
        finally:  # the worker is the cluster's, and goes on
            faulthandler.cancel_dump_traceback_later()
    note.unlink()


# ---- in the workers


def _do(file: str, call: tuple, key: str, timeout: float | None) -> None:
    note = Path(f"{file}.{key}")
    if _late(note):  # Dask has sent it again
        return
    folder, function, shared = _load(file)
    # The worker is left as it was found: others use it too.
    with chdir(folder), one_thread(), _watched(note, timeout) as begin:
        function(shared, *call, begin)


@lru_cache(maxsize=1)
def _load(file: str) -> tuple[Path, Callable[..., Any], Any]:
    """The folder in which relative paths begin, and what `pack` made, read once."""
    from distributed import get_worker

    name = get_worker().address
    try:
        folder, function, shared = pickle.loads(Path(file).read_bytes())
        with chdir(folder):
            shared.look()
    except DataError as error:
        raise RunError(f"the worker {name} cannot read the data: {error}") from error
    except OSError as error:
        raise RunError(
            f"the worker {name} does not see what the run wrote ({error}); --out must lie on a "
            "file system that all workers share"
        ) from error
    return folder, function, shared
