"""Images to stored maps: the expensive half of a run.

Methods that score image by image run in `jobs` processes, one BLAS thread each, so that
a parallel run gives the same bits as a serial one. Methods that batch (networks) run in
this process. Only `score` is timed; a first call on a tiny image keeps compilation and
lazy imports out of the times.

Whatever goes wrong with one image is stored as its failure and the others go on, even if
the process dies that scores it; only a disk that cannot be written ends the run.
"""

from __future__ import annotations

import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import current_process
from pathlib import Path

import numpy as np

from istsbench.data import Dataset
from istsbench.maps import MapStore, StoredMap
from istsbench.progress import Progress
from istsbench.segmenter import Segmenter
from istsbench.testing import scene

BATCH = 64  # images handed to `score_many` at a time
LONGEST = 500  # characters kept of a reason
DEATHS = 3  # images of a method that may end their process before the others are left out
DIED = "the process that scored this image died (out of memory?)"


@dataclass(frozen=True)
class Work:
    """One method with the images that it still has to score."""

    title: str
    method: Segmenter
    store: MapStore
    images: Mapping[str, str]  # name -> hash of the pixels that it was planned for


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit BLAS and OpenCV to one thread inside."""
    import cv2
    from threadpoolctl import threadpool_limits

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        cv2.setNumThreads(before)


def checked(score: object, image: np.ndarray) -> np.ndarray:
    """The map as it is stored, float32; raises `ValueError` if it breaks its promise."""
    if not isinstance(score, np.ndarray):
        raise ValueError(f"score returned {type(score).__name__}, expected an array")
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
        method.score(scene(64, 64))
    except (Exception, SystemExit):  # what is wrong shows on the first real image, with its name
        return


@cache
def settle() -> None:
    """Once in each worker: one thread for what reads no environment variable.

    Ctrl-C reaches workers too; it is for the process that started them to end them.
    """
    import cv2
    from threadpoolctl import threadpool_limits

    if current_process().name != "MainProcess":  # where joblib may not start any
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threadpool_limits(1)


_warmed: set[MapStore] = set()  # of the methods that this worker has called before


def _in_worker(work: Work, dataset: Dataset, marker: Path) -> Path:
    """Score the sample in `work`; the file `marker` is there as long as that takes."""
    settle()
    marker.touch()
    if work.store not in _warmed:
        _warmed.add(work.store)
        _warm(work.method)
    for name, pixels in work.images.items():
        _score_one(work.method, work.store, dataset, name, pixels)
    marker.unlink(missing_ok=True)
    return marker


def one_line(reason: str) -> str:
    """A reason without line ends and of bounded length, as records and notes hold it."""
    return " ".join(reason.split())[:LONGEST]


def _score_one(
    method: Segmenter, store: MapStore, dataset: Dataset, name: str, pixels: str
) -> None:
    """Score and store one sample, or store why that failed."""
    try:
        image = dataset.load(name).image
        start = time.perf_counter()
        score = method.score(image)
        seconds = time.perf_counter() - start
        stored = StoredMap(checked(score, image), pixels, seconds)
    except (Exception, SystemExit) as error:
        store.fail(name, pixels, one_line(f"{type(error).__name__}: {error}"))
        return
    store.save(name, stored)


def _score_batch(work: Work, dataset: Dataset, names: Sequence[str]) -> None:
    """Score and store some samples at once, or one by one where that fails."""
    try:
        images = [dataset.load(name).image for name in names]
        start = time.perf_counter()
        scores = list(work.method.score_many(images))
        seconds = (time.perf_counter() - start) / len(images)
        pairs = zip(scores, images, strict=True)
        stored = [
            StoredMap(checked(score, image), work.images[name], seconds)
            for name, (score, image) in zip(names, pairs, strict=True)
        ]
    except (Exception, SystemExit):
        for name in names:
            _score_one(work.method, work.store, dataset, name, work.images[name])
        return
    for name, one in zip(names, stored, strict=True):
        work.store.save(name, one)


def score_all(plan: Sequence[Work], dataset: Dataset, jobs: int, report: Progress) -> None:
    """Score everything in the plan; failures are kept in the stores."""
    for work in plan:
        if work.method.batched:
            names = list(work.images)
            for first in range(0, len(names), BATCH):
                _score_batch(work, dataset, names[first : first + BATCH])
                for _ in names[first : first + BATCH]:
                    report(work.title)
    single = [work for work in plan if not work.method.batched and work.images]
    if jobs == 1 or sum(len(work.images) for work in single) < 2:
        for work in single:
            _warm(work.method)  # before the limit, which reaches loaded libraries only
            with one_thread():
                for name, pixels in work.images.items():
                    _score_one(work.method, work.store, dataset, name, pixels)
                    report(work.title)
        return
    pieces = [(work, name) for work in single for name in work.images]
    deaths: Counter[str] = Counter()
    while pieces and (suspects := _score_parallel(pieces, dataset, jobs, report)) is not None:
        for work, name in suspects:  # each by itself, so that it is clear which one it is
            if _score_parallel([(work, name)], dataset, jobs, report) is not None:
                work.store.fail(name, work.images[name], DIED)
                deaths[work.title] += 1
                report(work.title)
        left = [(work, name) for work, name in pieces if not _settled(work, name)]
        if len(left) == len(pieces):
            raise RuntimeError("the processes die before they score anything; try --jobs 1")
        pieces = []
        for work, name in left:
            if deaths[work.title] < DEATHS:
                pieces.append((work, name))
            else:
                reason = f"not tried: {deaths[work.title]} other images ended their process"
                work.store.fail(name, work.images[name], reason)
                report(work.title)


def _settled(work: Work, name: str) -> bool:
    pixels = work.images[name]
    return work.store.has(name, pixels) or work.store.failure(name, pixels) is not None


def _score_parallel(
    pieces: Sequence[tuple[Work, str]], dataset: Dataset, jobs: int, report: Progress
) -> list[tuple[Work, str]] | None:
    """Score in processes; if one of them dies, return what was being scored at that time."""
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    parallel = Parallel(
        n_jobs=max(jobs, 2),  # 1 would be this process
        backend="loky",
        inner_max_num_threads=1,
        return_as="generator_unordered",
    )
    unreported = dict(enumerate(pieces))
    with tempfile.TemporaryDirectory(prefix="istsbench-", ignore_cleanup_errors=True) as flight:
        calls = (
            delayed(_in_worker)(
                replace(work, images={name: work.images[name]}),
                dataset.subset([name]),
                Path(flight) / str(number),
            )
            for number, (work, name) in enumerate(pieces)
        )
        try:
            for marker in parallel(calls):
                report(unreported.pop(int(marker.name))[0].title)
        except TerminatedWorkerError:
            for number, (work, name) in list(unreported.items()):
                if _settled(work, name):
                    report(unreported.pop(number)[0].title)
            flying = sorted(int(marker.name) for marker in Path(flight).iterdir())
            return [pieces[number] for number in flying if number in unreported]
    return None
