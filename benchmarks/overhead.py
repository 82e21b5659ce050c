"""What the runner costs beside the method: its scoring stage against a bare loop.

    python benchmarks/overhead.py --method tophat --dataset nuaa

Both load the same images, score them one by one and store float32 maps on disk; the bare
loop does so by `np.save`. Where a process lies in memory moves the ratio by more than what is
measured, so several processes measure it, each by the best of some rounds taken in turn.
Prints the median over processes of the CPU and wall seconds of each side, and of the
overhead in percent with its range.
"""

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import numpy as np
import typer

from istsbench import Segmenter, create
from istsbench.data.datasets import open_dataset
from istsbench.data.samples import Dataset
from istsbench.runs.maps import MapStore
from istsbench.runs.scoring import Work, score_all
from istsbench.side_effects import one_thread


def bare(method: Segmenter, dataset: Dataset, names: tuple[str, ...], folder: Path) -> None:
    with one_thread():
        for name in names:
            score = method.score(dataset.load(name).image)
            np.save(folder / f"{name}.npy", score.astype(np.float32))


def seconds(work: Callable[[Path], None]) -> tuple[float, float]:
    """CPU and wall seconds of `work` in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        cpu, wall = time.process_time(), time.perf_counter()
        work(Path(folder))
        return time.process_time() - cpu, time.perf_counter() - wall


def measured(method: str, dataset: str, rounds: int) -> tuple[int, list[tuple[float, float]]]:
    """The number of images, and (bare, runner) seconds by CPU and by the wall clock."""
    chosen, images = create(method), open_dataset(dataset)
    names = images.names("test")
    pixels = {name: images.load(name).pixels for name in names}

    def runner(folder: Path) -> None:
        work = Work(method, chosen, MapStore(folder), pixels)
        score_all([work], images, jobs=1, report=lambda what: None)

    def loop(folder: Path) -> None:
        bare(chosen, images, names, folder)

    sides = (loop, runner)
    taken = []
    for number in range(rounds + 1):  # the first warms caches; neither is always the second
        order = (0, 1) if number % 2 else (1, 0)
        times = {side: seconds(sides[side]) for side in order}
        taken.append((times[0], times[1]))
    best = []
    for clock in range(2):
        theirs, ours = (min(pair[side][clock] for pair in taken[1:]) for side in range(2))
        best.append((theirs, ours))
    return len(names), best


def main(
    method: str = "tophat", dataset: str = "nuaa", rounds: int = 15, processes: int = 7
) -> None:
    runs = []
    for _ in range(processes):  # one after the other, each new: no worker is used twice
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            runs.append(pool.submit(measured, method, dataset, rounds).result())
    print(f"{runs[0][0]} images, {processes} processes, the best of {rounds} rounds in each")
    for clock, kind in enumerate(("CPU", "wall")):
        pairs = [best[clock] for _, best in runs]
        extra = sorted(100 * (ours / theirs - 1) for theirs, ours in pairs)
        theirs, ours = (median(pair[side] for pair in pairs) for side in range(2))
        print(
            f"{kind}: bare loop {theirs:.3f} s, runner {ours:.3f} s, overhead "
            f"{median(extra):+.1f} % (from {extra[0]:+.1f} to {extra[-1]:+.1f})"
        )


if __name__ == "__main__":
    typer.run(main)
