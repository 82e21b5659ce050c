"""How fast the map store writes and reads, and how long the command line takes to start.

    python benchmarks/throughput.py [--methods tophat,mpcm --dataset synthetic]

The store: maps of 256x320 written, checked and read one by one in a folder of its own, MB/s
of float32 pixels, beside `numpy.save` and `numpy.load` (which check nothing), and beside the
bytes written alone. Start-up: the median wall time of `istsbench --help`, `istsbench list`
and a run in which everything is done already. Prints Markdown.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import typer

from istsbench.provenance import environment
from istsbench.runs.maps import MapStore, StoredMap

SHAPE = (256, 320)
PIXELS = "0" * 32  # a hash of the image


def store_rates(maps: int, rounds: int, folder: Path) -> list[tuple[str, float]]:
    """(what, MB/s), the best round of each."""
    score = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    megabytes = maps * score.nbytes / 1e6
    store, raw = MapStore(folder / "store"), score.tobytes()
    plain = folder / "plain"
    plain.mkdir()
    ways: dict[str, Callable[[str], object]] = {
        "map store, write": lambda name: store.save(name, StoredMap(score, PIXELS, 0.0)),
        "map store, check": lambda name: store.has(name, PIXELS),
        "map store, read": store.load,
        "numpy.save": lambda name: np.save(plain / f"{name}.npy", score),
        "numpy.load": lambda name: np.load(plain / f"{name}.npy"),
        "bytes alone, write": lambda name: (plain / name).write_bytes(raw),
    }
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for what, way in ways.items():
            start = time.perf_counter()
            for number in range(maps):
                way(str(number))
            best[what] = min(best[what], time.perf_counter() - start)
        for number in range(maps):
            store.forget(str(number))
    return [(what, megabytes / seconds) for what, seconds in best.items()]


def start_times(methods: str, dataset: str, rounds: int, folder: Path) -> list[tuple[str, float]]:
    """(command, seconds), the median of some calls."""
    run = ["run", "--methods", methods, "--dataset", dataset, "--out", str(folder / "results")]
    command = [str(Path(sys.executable).with_name("istsbench"))]
    found = []
    for words in (["--help"], ["list"], run):
        spent = []
        for _ in range(rounds + 1):  # the first fills caches, and does the run
            start = time.perf_counter()
            subprocess.run([*command, *words], check=True, capture_output=True)
            spent.append(time.perf_counter() - start)
        shown = f"istsbench {' '.join(words[:5])}" + (", complete" if words is run else "")
        found.append((shown, median(spent[1:])))
    return found


def main(
    maps: int = 200,
    rounds: int = 5,
    methods: Annotated[str, typer.Option(help="of the completed run")] = "tophat,mpcm",
    dataset: str = "synthetic",
    folder: Annotated[
        Path | None, typer.Option(help="on the disk to measure; default: the temporary one")
    ] = None,
) -> None:
    print(f"{environment()['cpu']}, {maps} maps of {SHAPE[0]}x{SHAPE[1]}, {rounds} rounds\n")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        print("| map store | MB/s |\n|---|---:|")
        for what, rate in store_rates(maps, rounds, Path(scratch)):
            print(f"| {what} | {rate:.0f} |", flush=True)
        print("\n| command | seconds |\n|---|---:|")
        for what, seconds in start_times(methods, dataset, rounds, Path(scratch)):
            print(f"| `{what}` | {seconds:.2f} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
