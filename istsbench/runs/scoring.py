"""Images to stored maps, the expensive half of a run, and each method's maps to counts.

Methods that score image by image run in `jobs` processes, one BLAS thread each, so that
a parallel run gives the same bits as a serial one. Methods that batch (networks) run in
this process. Only `score` is timed; a first call on a tiny image keeps compilation, weights
and lazy imports out of the times. The seconds of a method that batches are the mean over its
batch of up to 64 images; on a CPU torch has one thread for them, see `network`.

A method is counted as soon as its last image is done, by the process that scored it or, where
there are several, by the next that is free.

Whatever goes wrong with one image is stored as its failure and the others go on, even if
the process dies that scores it, or is ended because it takes too long. A method that loses
several images in that way is given up: its others are not tried, and nothing is stored of
them, so that a later run tries them. Only a disk that cannot be written, or a folder of data
that is gone (`DataError`), ends the run. With one job and no limit of time there is no such
process: a method that kills it ends the run, and what is done is kept.
"""

from __future__ import annotations

import pickle
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Self

import numpy as np

from istsbench.data.samples import Dataset
from istsbench.data.synthetic import scene
from istsbench.errors import DataGone, RunError
from istsbench.progress import Progress
from istsbench.runs.counting import Counted, Counting
from istsbench.runs.maps import MapStore, StoredMap
from istsbench.runs.pool import Answers, Begin, Lost, in_processes
from istsbench.segmenter import Segmenter, is_mask, named_rule
from istsbench.side_effects import contained, one_thread
from istsbench.threshold import Threshold

LONGEST = 500  # characters kept of a reason
LOSSES = 3  # images that a method may lose by death or delay before its others are left out

# Number of the method, name of the image, hash of its pixels; to count the method, without them.
Call = tuple[int, str | None, str | None]
Finish = Callable[[int, Counted], None]
Run = Callable[[Callable[..., Any], Any, Iterable[tuple]], Answers]


@dataclass(frozen=True)
class Work:
    """One method with the images that it still has to score."""

    title: str
    method: Segmenter
    store: MapStore
    images: Mapping[str, str]  # name -> hash of the pixels that it was planned for


def checked(score: object, image: np.ndarray) -> np.ndarray:
    """The map as it is stored, float32; raises `ValueError` if it breaks its promise."""
    if not isinstance(score, np.ndarray):
        raise ValueError(f"score returned {type(score).__name__}, expected an array")
    if isinstance(score, np.ma.MaskedArray):
        raise ValueError("score returned a masked array, expected one with a score in each pixel")
    if score.shape != image.shape:
        raise ValueError(f"score returned shape {score.shape} for an image of {image.shape}")
    if score.dtype.kind not in "biuf":
        raise ValueError(f"score returned an array of {score.dtype}, expected float64")
    with np.errstate(over="ignore"):
        stored = np.array(score, dtype=np.float32, order="C", subok=False)
    low, high = stored.min(), stored.max()  # nan if any value is
    if not (low > -np.inf and high < np.inf):
        bad = int(np.sum(~np.isfinite(stored)))
        raise ValueError(f"score returned {bad} values that are NaN, infinite or above 3e38")
    if low < 0:
        raise ValueError(f"score returned negative values, down to {low:.3g}")
    return stored


def _warm(method: Segmenter) -> None:
    try:
        with contained():
            list(method.score_many([scene(64, 64)]))
    except (Exception, SystemExit):  # what is wrong shows on the first real image, with its name
        return


def one_line(reason: str) -> str:
    """A reason without line ends and of bounded length, as records and notes hold it."""
    return " ".join(reason.split())[:LONGEST]


class Clock:
    """The time since it was made, and how much of it the processor worked on this process.

    Where others use the machine too, a process waits, and its time says little of the method.
    """

    def __init__(self) -> None:
        self.start, self.work = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Seconds, and seconds of the processor in each of them."""
        seconds = time.perf_counter() - self.start
        return seconds, (time.process_time() - self.work) / max(seconds, 1e-9)


def _score_one(
    method: Segmenter,
    store: MapStore,
    dataset: Dataset,
    name: str,
    pixels: str,
    begin: Begin = lambda *_: None,
) -> None:
    """Score and store one sample, or store why that failed; raises `DataGone`."""
    try:
        image = dataset.load(name).image
        begin()
        with contained():
            clock = Clock()
            score = method.score(image)
            seconds, busy = clock.read()
        stored = StoredMap(checked(score, image), pixels, seconds, busy, is_mask(score))
    except DataGone:
        raise
    except (Exception, SystemExit) as error:
        store.fail(name, pixels, one_line(f"{type(error).__name__}: {error}"))
        return
    store.save(name, stored)


def _score_batch(work: Work, dataset: Dataset, names: Sequence[str]) -> None:
    """Score and store some samples at once, or one by one where that fails."""
    try:
        images = [dataset.load(name).image for name in names]
        with contained():
            clock = Clock()
            scores = list(work.method.score_many(images))
            seconds, busy = clock.read()
        pairs = zip(scores, images, strict=True)
        stored = [
            StoredMap(
                checked(score, image),
                work.images[name],
                seconds / len(images),
                busy,
                is_mask(score),
            )
            for name, (score, image) in zip(names, pairs, strict=True)
        ]
    except (Exception, SystemExit):
        for name in names:
            _score_one(work.method, work.store, dataset, name, work.images[name])
        return
    for name, one in zip(names, stored, strict=True):
        work.store.save(name, one)


def score_all(
    plan: Sequence[Work],
    dataset: Dataset,
    jobs: int,
    report: Progress,
    timeout: float | None = None,
    elsewhere: Run | None = None,
    counting: Counting | None = None,
    finish: Finish = lambda number, counted: None,
) -> None:
    """Score everything in the plan; failures are kept in the stores.

    Raises `OSError` if a map cannot be written, `DataError` if the data are gone.
    `timeout` is in seconds an image, of methods that score image by image; `elsewhere` takes
    the place of `in_processes`. With `counting`, `finish` gets the number of each method in
    the plan and what its maps come to, as soon as it is done.
    """

    def count_here(number: int) -> None:
        if counting is not None:
            finish(number, counting.of(named_rule(plan[number].method), plan[number].store))

    for number, work in enumerate(plan):
        if work.method.batched:
            names = list(work.images)
            if names:
                _warm(work.method)
            many = work.method.images_at_once()
            for first in range(0, len(names), many):
                _score_batch(work, dataset, names[first : first + many])
                for _ in names[first : first + many]:
                    report(work.title)
            count_here(number)
    single = {number: work for number, work in enumerate(plan) if not work.method.batched}
    if elsewhere is not None:
        _score_apart(single, dataset, elsewhere, report)
        single = {number: replace(work, images={}) for number, work in single.items()}
    if jobs > 1 or timeout is not None:
        tasks = sum(len(work.images) + (counting is not None) for work in single.values())
        run = partial(in_processes, jobs=min(jobs, tasks), timeout=timeout)
        _score_apart(single, dataset, run, report, counting, finish)
    else:
        for number, work in single.items():
            if work.images:
                _warm(work.method)  # before the limit, which reaches loaded libraries only
                with one_thread():
                    for name, pixels in work.images.items():
                        _score_one(work.method, work.store, dataset, name, pixels)
                        report(work.title)
            count_here(number)


class _Calls:
    """Calls that processes take one by one; more may be put in front meanwhile."""

    def __init__(self, wanted: Callable[[Call], bool]) -> None:
        self.waiting: deque[Call] = deque()
        self.wanted = wanted

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Call:
        while self.waiting:
            call = self.waiting.popleft()
            if self.wanted(call):
                return call
        raise StopIteration


def _score_apart(
    plan: Mapping[int, Work],
    dataset: Dataset,
    run: Run,
    report: Progress,
    counting: Counting | None = None,
    finish: Finish = lambda number, counted: None,
) -> None:
    """Score, and count where `counting` says on what, in other processes, which may die."""
    packed = {number: _packed(work, report) for number, work in plan.items()}
    left = {n: len(work.images) if packed[n] is not None else 0 for n, work in plan.items()}
    lost = dict.fromkeys(plan, 0)

    def wanted(call: Call) -> bool:
        number, name, _ = call
        if name is not None and lost[number] >= LOSSES:
            done(number)
            return False
        return True

    def done(number: int) -> None:
        report(plan[number].title)
        left[number] -= 1
        if not left[number] and counting is not None:
            calls.waiting.appendleft((number, None, None))

    calls = _Calls(wanted)
    for number, work in plan.items():
        if left[number]:
            calls.waiting.extend((number, *image) for image in work.images.items())
        elif counting is not None:
            calls.waiting.append((number, None, None))
    if not calls.waiting:
        return
    needed = {name: pixels for work in plan.values() for name, pixels in work.images.items()}
    shared = _Shared(
        dataset.subset(needed) if counting is None else counting.dataset,
        packed,
        {number: work.store for number, work in plan.items()},
        {number: named_rule(work.method) for number, work in plan.items()},
        counting,
    )
    with closing(run(_in_worker, shared, calls)) as answers:
        for (number, name, pixels), answer in answers:
            work = plan[number]
            if name is not None:
                if isinstance(answer, Lost):
                    lost[number] += 1
                    work.store.fail(name, pixels, answer.reason)
                done(number)
            elif isinstance(answer, Lost):
                raise RunError(
                    f"the process died that counted {work.title} (out of memory?); "
                    "what is done is kept, try fewer --jobs"
                )
            else:
                finish(number, answer)


def _packed(work: Work, report: Progress) -> bytes | None:
    """The method as bytes; if that fails, so has each of its images."""
    from cloudpickle import dumps

    try:
        return bytes(dumps(work.method))
    except Exception as error:
        reason = f"cannot be sent to another process: {type(error).__name__}: {error}"
        for name, pixels in work.images.items():
            work.store.fail(name, pixels, one_line(reason))
            report(work.title)
        return None


@dataclass(frozen=True)
class _Shared:
    """What each process needs of the plan."""

    dataset: Dataset
    methods: Mapping[int, bytes | None]
    stores: Mapping[int, MapStore]
    owns: Mapping[int, Threshold | None]
    counting: Counting | None

    def look(self) -> None:
        """Raise `DataError` if the data cannot be read here."""
        self.dataset.load(next(iter(self.dataset.names("all"))))


@cache
def _unpacked(packed: bytes) -> Segmenter:
    """The method, called once before in this process."""
    method: Segmenter = pickle.loads(packed)
    _warm(method)
    return method


def _in_worker(
    shared: _Shared, number: int, name: str | None, pixels: str, begin: Begin
) -> Counted | None:
    """Score and store one image; without a name, count the method."""
    packed, store = shared.methods[number], shared.stores[number]
    if name is None:
        begin(False)
        assert shared.counting is not None
        return shared.counting.of(shared.owns[number], store)
    assert packed is not None
    try:
        method = _unpacked(packed)
    except Exception as error:
        store.fail(name, pixels, one_line(f"{type(error).__name__}: {error}"))
        return None
    _score_one(method, store, shared.dataset, name, pixels, begin)
    return None
