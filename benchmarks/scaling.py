"""How a run gains from processes: the seconds of scoring with 1 and with N of them.

    python benchmarks/scaling.py --methods wsnmstipt,pstnn,srws,ecastt,ntfra --dataset nuaa

Each method by itself, and all in one run, score the same images into an empty folder with one
job and with N, each several times in turn; the best time of each is kept. Times are from the
call to the last map, so they include the start of the processes. Prints a Markdown table.
Run it on a machine that does nothing else, with as many real cores as jobs.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

# Before the first import that starts threads: one job must not use two cores.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import typer

from istsbench.data.datasets import open_dataset
from istsbench.data.samples import Dataset
from istsbench.registry import Choice, choose
from istsbench.runs.maps import MapStore
from istsbench.runs.scoring import Work, score_all


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
    chosen = choose(methods)
    for part in [*([choice] for choice in chosen), chosen]:
        name = part[0].spec if len(part) == 1 else "all in one run"
        best = dict.fromkeys(sides, float("inf"))
        for _ in range(rounds):
            for side in sides:
                best[side] = min(best[side], seconds(part, images, pixels, side))
        one, many = best.values()
        print(f"| {name} | {one:.2f} | {many:.2f} | {one / many:.2f} |", flush=True)


def seconds(choices: list[Choice], images: Dataset, pixels: dict[str, str], jobs: int) -> float:
    """Wall seconds until all maps of these methods are there."""
    with tempfile.TemporaryDirectory() as folder:
        plan = [
            Work(one.spec, one.create(), MapStore(Path(folder) / one.file), pixels)
            for one in choices
        ]
        start = time.perf_counter()
        score_all(plan, images, jobs, lambda what: None)
        taken = time.perf_counter() - start
        made = sum(work.store.has(name, pixels[name]) for work in plan for name in pixels)
    if made < len(plan) * len(pixels):
        sys.exit(f"only {made} of {len(plan) * len(pixels)} maps were made")
    return taken


if __name__ == "__main__":
    typer.run(main)
