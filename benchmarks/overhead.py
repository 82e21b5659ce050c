"""What the runner costs beside the method: its scoring stage against a bare loop.

    python benchmarks/overhead.py --method tophat --dataset nuaa

Both load the same images, score them one by one and store float32 maps on disk; the bare
loop does so by `np.save`. Prints CPU and wall seconds of each, the best of some rounds
taken in turn, and the overhead in percent.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import typer

from istsbench import Segmenter, create
from istsbench.data import Dataset, open_dataset
from istsbench.maps import MapStore
from istsbench.scoring import Work, one_thread, score_all


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


def main(method: str = "tophat", dataset: str = "nuaa", rounds: int = 3) -> None:
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
    for number, kind in enumerate(("CPU", "wall")):
        theirs, ours = (min(pair[side][number] for pair in taken[1:]) for side in (0, 1))
        print(
            f"{kind}: bare loop {theirs:.3f} s, runner {ours:.3f} s for {len(names)} images, "
            f"overhead {100 * (ours / theirs - 1):+.1f} %"
        )


if __name__ == "__main__":
    typer.run(main)
