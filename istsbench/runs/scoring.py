"""Images to stored maps: the expensive half of a run.

Methods that score image by image run in `jobs` processes, one BLAS thread each, so that
a parallel run gives the same bits as a serial one. Methods that batch (networks) run in
this process. Only `score` is timed; a first call on a tiny image keeps compilation, weights
and lazy imports out of the times. The seconds of a method that batches are the mean over its
batch of up to 64 images; on a CPU torch has one thread for them, see `network`.

Whatever goes wrong with one image is stored as its failure and the others go on, even if
the process dies that scores it, or is ended because it takes too long. A method that loses
several images in that way is given up: its others are not tried, and nothing is stored of
them, so that a later run tries them. Only a disk that cannot be written, or a folder of data
that is gone (`DataError`), ends the run. With one job and no limit of time there is no such
process: a method that kills it ends the run, and what is done is kept.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TextIO

import numpy as np

from istsbench.data.datasets import Dataset
from istsbench.data.synthetic import scene
from istsbench.errors import DataGone
from istsbench.progress import Progress
from istsbench.runs.maps import MapStore, StoredMap
from istsbench.runs.pool import Answers, Begin, Lost, in_processes
from istsbench.segmenter import Segmenter
from istsbench.side_effects import one_thread

BATCH = 64  # images handed to `score_many` at a time
LONGEST = 500  # characters kept of a reason
LOSSES = 3  # images that a method may lose by death or delay before its others are left out

Call = tuple[int, str, str]  # number of the method, name of the image, hash of its pixels
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


@contextmanager
def contained() -> Iterator[None]:
    """What a method sets inside (working folder, warnings, numpy's errors) ends with it."""
    folder = os.getcwd()
    try:
        with np.errstate(), warnings.catch_warnings():
            yield
    finally:
        if os.getcwd() != folder:
            os.chdir(folder)


class _Kept:
    """A stream that a method cannot close."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def close(self) -> None:
        self.stream.flush()


@contextmanager
def same_environment() -> Iterator[None]:
    """The environment variables afterwards are those of before, both streams still open."""
    before = dict(os.environ)
    try:
        with redirect_stdout(_Kept(sys.stdout)), redirect_stderr(_Kept(sys.stderr)):  # type: ignore[type-var]
            yield
    finally:
        if dict(os.environ) != before:
            os.environ.clear()
            os.environ.update(before)


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
    begin: Begin = lambda: None,
) -> None:
    """Score and store one sample, or store why that failed; raises `DataGone`."""
    try:
        image = dataset.load(name).image
        begin()
        with contained():
            clock = Clock()
            score = method.score(image)
            seconds, busy = clock.read()
        stored = StoredMap(checked(score, image), pixels, seconds, busy)
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
            StoredMap(checked(score, image), work.images[name], seconds / len(images), busy)
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
) -> None:
    """Score everything in the plan; failures are kept in the stores.

    Raises `OSError` if a map cannot be written, `DataError` if the data are gone.
    `timeout` is in seconds an image, of methods that score image by image; `elsewhere` takes
    the place of `in_processes`.
    """
    for work in plan:
        if work.method.batched and work.images:
            names = list(work.images)
            with same_environment():
                _warm(work.method)
                for first in range(0, len(names), BATCH):
                    _score_batch(work, dataset, names[first : first + BATCH])
                    for _ in names[first : first + BATCH]:
                        report(work.title)
    single = [work for work in plan if not work.method.batched and work.images]
    if jobs > 1 or timeout is not None or elsewhere is not None:
        workers = min(jobs, sum(len(work.images) for work in single))
        run = elsewhere or partial(in_processes, jobs=workers, timeout=timeout)
        _score_apart(single, dataset, run, report)
        return
    for work in single:
        with same_environment():
            _warm(work.method)  # before the limit, which reaches loaded libraries only
            with one_thread():
                for name, pixels in work.images.items():
                    _score_one(work.method, work.store, dataset, name, pixels)
                    report(work.title)


def _score_apart(plan: Sequence[Work], dataset: Dataset, run: Run, report: Progress) -> None:
    """Score in other processes, which may die."""
    packed = [_packed(work, report) for work in plan]
    lost = [0] * len(plan)

    def calls() -> Iterator[Call]:
        for number, work in enumerate(plan):
            if packed[number] is None:
                continue
            for name, pixels in work.images.items():
                if lost[number] < LOSSES:
                    yield number, name, pixels
                else:
                    report(work.title)

    needed = dataset.subset({name: pixels for work in plan for name, pixels in work.images.items()})
    shared = _Shared(needed, tuple(packed), tuple(work.store for work in plan))
    if not any(packed):
        return
    with closing(run(_in_worker, shared, calls())) as answers:
        for (number, name, pixels), answer in answers:
            work = plan[number]
            if isinstance(answer, Lost):
                lost[number] += 1
                work.store.fail(name, pixels, answer.reason)
            report(work.title)


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
    methods: tuple[bytes | None, ...]
    stores: tuple[MapStore, ...]

    def look(self) -> None:
        """Raise `DataError` if the data cannot be read here."""
        self.dataset.load(next(iter(self.dataset.names("all"))))


@cache
def _unpacked(packed: bytes) -> Segmenter:
    """The method, called once before in this process."""
    method: Segmenter = pickle.loads(packed)
    _warm(method)
    return method


def _in_worker(shared: _Shared, number: int, name: str, pixels: str, begin: Begin) -> None:
    packed, store = shared.methods[number], shared.stores[number]
    try:
        method = _unpacked(packed)
    except Exception as error:
        store.fail(name, pixels, one_line(f"{type(error).__name__}: {error}"))
        return
    _score_one(method, store, shared.dataset, name, pixels, begin)
