"""What counting stored maps costs, here and in another checkout, in turn.

    python benchmarks/counting.py ../older --dataset nuaa --rounds 5

Three kinds of maps are stored once: of Top-Hat, of PSTNN (mostly zeros) and of noise, whose masks
have thousands of regions. Each round counts them under own, half and oracle in a fresh process of
either version. Seconds are of the processor, on one thread: the least of all rounds.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

HERE = Path(__file__).resolve().parents[1]
KINDS = ("tophat", "pstnn", "noise")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def store(folder: Path, dataset: str, limit: int | None) -> int:
    """Store the maps of each kind; returns the number of images."""
    from istsbench import create
    from istsbench.data.datasets import open_dataset
    from istsbench.runs.maps import MapStore, StoredMap

    images = open_dataset(dataset)
    names = images.names("test")[:limit]
    rng = np.random.default_rng(0)
    for name in names:
        sample = images.load(name)
        for kind in KINDS:
            noise = rng.uniform(0, 1, sample.image.shape)
            score = noise if kind == "noise" else create(kind).score(sample.image)
            stored = StoredMap(score.astype(np.float32), sample.pixels, 0.0)
            MapStore(folder / kind).save(name, stored)
    return len(names)


def measure(folder: Path, dataset: str, limit: int | None) -> None:
    """Print the CPU seconds of counting each kind, in whatever version is loaded."""
    import cv2

    from istsbench.data.datasets import open_dataset
    from istsbench.runs.counting import count
    from istsbench.runs.maps import MapStore
    from istsbench.threshold import MeanStd

    cv2.setNumThreads(1)
    images = open_dataset(dataset)
    names = images.names("test")[:limit]
    rules = ("own", "half", "oracle")
    for kind in KINDS:
        maps = MapStore(folder / kind)
        count(MeanStd(10), maps, images, names[:2], (), rules)
        start = time.process_time()
        count(MeanStd(10), maps, images, names, (), rules)
        print(time.process_time() - start)


def main(
    other: Annotated[Path, typer.Argument(help="A checkout of another version.")],
    dataset: str = "nuaa",
    rounds: int = 5,
    limit: int | None = None,
    measured: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    if measured is not None:
        measure(measured, dataset, limit)
        return
    least = [[np.inf] * len(KINDS) for _ in range(2)]
    with tempfile.TemporaryDirectory() as folder:
        number = store(Path(folder), dataset, limit)
        words = [str(other), "--dataset", dataset, "--measured", folder]
        words += [] if limit is None else ["--limit", str(limit)]
        for _ in range(rounds):
            for version, best in zip((other, HERE), least, strict=True):
                place = {"PYTHONPATH": str(version.resolve()), **dict.fromkeys(THREADS, "1")}
                done = subprocess.run(
                    [sys.executable, __file__, *words], env={**os.environ, **place}, check=True,
                    stdout=subprocess.PIPE, text=True,
                )  # fmt: skip
                best[:] = map(min, best, map(float, done.stdout.split()))
    print(f"{number} images of {dataset}, least of {rounds} rounds\n")
    print("| maps | before s | now s | ratio |\n|---|---:|---:|---:|")
    for kind, before, now in zip(KINDS, *least, strict=True):
        print(f"| {kind} | {before:.3f} | {now:.3f} | {now / before:.2f} |")


if __name__ == "__main__":
    typer.run(main)
