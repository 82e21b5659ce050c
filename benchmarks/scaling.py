"""How a run gains from processes: the seconds of scoring with 1 and with N of them.

    python benchmarks/scaling.py --methods wsnmstipt,pstnn,srws,ecastt,ntfra --dataset nuaa

Each method scores the same images into an empty folder with one job and with N, each several
times in turn; the best time of each is kept. Times are from the call to the last map, so they
include the start of the processes. Prints a Markdown table. Run it on a machine that does
nothing else, with as many real cores as jobs.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

# Before the first import that starts threads: one job must not use two cores.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import typer

from istsbench.data import open_dataset
from istsbench.maps import MapStore
from istsbench.scoring import Work, score_all
from istsbench.selection import choose


def main(
    methods: str = "wsnmstipt,pstnn,srws,ecastt,ntfra",
    dataset: str = "synthetic",
    limit: int = 40,
    jobs: int = 2,
    rounds: int = 3,
) -> None:
    images = open_dataset(dataset)
    pixels = {name: images.load(name).pixels for name in images.names("test")[:limit]}
    sides = (1, jobs)
    print(f"{dataset}, {len(pixels)} images, the best of {rounds} rounds, {os.cpu_count()} cores")
    print(f"\n| Method | 1 job, s | {jobs} jobs, s | times faster |\n|---|---:|---:|---:|")
    sums = dict.fromkeys(sides, 0.0)
    for choice in choose(methods):
        best = dict.fromkeys(sides, float("inf"))
        for _ in range(rounds):
            for side in sides:
                with tempfile.TemporaryDirectory() as folder:
                    work = Work(choice.spec, choice.create(), MapStore(Path(folder)), pixels)
                    start = time.perf_counter()
                    score_all([work], images, side, lambda what: None)
                    best[side] = min(best[side], time.perf_counter() - start)
                    made = sum(work.store.has(name, pixels[name]) for name in pixels)
                if made < len(pixels):
                    sys.exit(f"{choice.spec}: only {made} of {len(pixels)} maps were made")
        for side in sides:
            sums[side] += best[side]
        one, many = best.values()
        print(f"| {choice.spec} | {one:.2f} | {many:.2f} | {one / many:.2f} |", flush=True)
    one, many = sums.values()
    print(f"| all | {one:.2f} | {many:.2f} | {one / many:.2f} |")


if __name__ == "__main__":
    typer.run(main)
