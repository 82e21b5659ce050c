"""Images to stored maps: the expensive half of a run.

Methods that score image by image run in `jobs` processes, one BLAS thread each, so that
a parallel run gives the same bits as a serial one. Methods that batch (networks) run in
this process. Only `score` is timed; a first call on a tiny image keeps compilation and
lazy imports out of the times.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from istsbench.data import Dataset
from istsbench.maps import MapStore, StoredMap
from istsbench.progress import Progress
from istsbench.segmenter import Segmenter
from istsbench.testing import scene

BATCH = 64  # images handed to `score_many` at a time


@dataclass(frozen=True)
class Work:
    """One method with the images that it still has to score."""

    title: str
    method: Segmenter
    store: MapStore
    names: tuple[str, ...]


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
    with np.errstate(over="ignore"):
        stored = score.astype(np.float32)
    bad = int(np.sum(~np.isfinite(stored)))
    if bad:
        raise ValueError(f"score returned {bad} values that are NaN or infinite")
    if stored.size and stored.min() < 0:
        raise ValueError(f"score returned negative values, down to {stored.min():.3g}")
    return stored


@cache
def _warm(method: Segmenter) -> None:
    try:
        method.score(scene(64, 64))
    except Exception:  # what is wrong shows on the first real image, with its name
        return


@cache
def _settle() -> None:
    """Once in each worker: one thread for what reads no environment variable."""
    import cv2
    from threadpoolctl import threadpool_limits

    cv2.setNumThreads(1)
    threadpool_limits(1)


def _in_worker(work: Work, dataset: Dataset) -> str:
    _settle()
    for name in work.names:
        _score_one(work.method, work.store, dataset, name)
    return work.title


def _score_one(method: Segmenter, store: MapStore, dataset: Dataset, name: str) -> None:
    """Score and store one sample, or store why that failed."""
    sample = dataset.load(name)
    _warm(method)
    try:
        start = time.perf_counter()
        score = method.score(sample.image)
        seconds = time.perf_counter() - start
        store.save(name, StoredMap(checked(score, sample.image), sample.pixels, seconds))
    except OSError:  # the disk, not the method
        raise
    except Exception as error:
        store.fail(name, sample.pixels, f"{type(error).__name__}: {error}")


def _score_batches(work: Work, dataset: Dataset) -> Iterator[str]:
    for first in range(0, len(work.names), BATCH):
        names = work.names[first : first + BATCH]
        samples = [dataset.load(name) for name in names]
        try:
            start = time.perf_counter()
            scores = list(work.method.score_many([sample.image for sample in samples]))
            seconds = (time.perf_counter() - start) / len(samples)
            for sample, score in zip(samples, scores, strict=True):
                stored = StoredMap(checked(score, sample.image), sample.pixels, seconds)
                work.store.save(sample.name, stored)
        except OSError:
            raise
        except Exception:  # find the image that it is
            for name in names:
                _score_one(work.method, work.store, dataset, name)
        yield from names


def score_all(plan: Sequence[Work], dataset: Dataset, jobs: int, report: Progress) -> None:
    """Score everything in the plan; failures are kept in the stores."""
    for work in plan:
        if work.method.batched:
            for _ in _score_batches(work, dataset):
                report(work.title)
    pieces = [(work, name) for work in plan if not work.method.batched for name in work.names]
    if jobs == 1 or len(pieces) < 2:
        with one_thread():
            for work, name in pieces:
                _score_one(work.method, work.store, dataset, name)
                report(work.title)
        return
    from joblib import Parallel, delayed

    parallel = Parallel(
        n_jobs=jobs, backend="loky", inner_max_num_threads=1, return_as="generator_unordered"
    )
    single = (
        delayed(_in_worker)(replace(work, names=(name,)), dataset.subset([name]))
        for work, name in pieces
    )
    for title in parallel(single):
        report(title)
