"""CPU seconds of methods in two versions of the code, image by image in turn.

    python benchmarks/pairs.py OTHER --methods mogmrf,tvpcp,nipps,ipi --dataset nuaa --every 9

OTHER is the Python of an environment where the other version is installed. Both stand ready as
processes on one thread; each image goes to one, then to the other, so that whatever else the
machine does falls on both. A first call on a small scene is not counted.
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

from istsbench import create

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def serve(path: str) -> None:
    """Answer each line "METHOD IMAGE" by the CPU seconds of scoring that image of the file."""
    import cv2

    cv2.setNumThreads(1)
    images, methods = np.load(path), {}
    for line in sys.stdin:
        name, image = line.split()
        if name not in methods:
            methods[name] = create(name)
            methods[name].score(np.random.default_rng(0).uniform(0, 255, (72, 88)))
        pixels = images[image]
        start = time.process_time()
        methods[name].score(pixels)
        print(time.process_time() - start, flush=True)


def main(
    other: Path,
    methods: str = "mogmrf,tvpcp,nipps,ipi",
    dataset: str = "nuaa",
    every: Annotated[int, typer.Option(help="of so many test images, the first")] = 1,
) -> None:
    from istsbench.data.datasets import open_dataset

    data = open_dataset(dataset)
    names = list(data.splits["test"] if "test" in data.splits else data.names())[::every]
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
    total = dict.fromkeys(methods.split(","), np.zeros(2))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "images.npz"))
        np.savez(path, **{name: data.load(name).image for name in names})
        versions = [
            subprocess.Popen(
                [python, __file__, "--serve", path],
                cwd=folder,  # not this tree, from which both would import
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for python in (str(other.absolute()), sys.executable)
        ]
        for image in names:
            for method in total:
                seconds = []
                for version in versions:
                    assert version.stdin and version.stdout
                    print(method, image, file=version.stdin, flush=True)
                    seconds.append(float(version.stdout.readline()))
                total[method] = total[method] + seconds
                print(f"{image} {method} {seconds[0]:.3f} {seconds[1]:.3f}", flush=True)
        for version in versions:
            version.communicate()
    print(f"\n{len(names)} images of {dataset}")
    print("| method | other s | this s | ratio |\n|---|---:|---:|---:|")
    for method, (before, after) in {**total, "all": sum(total.values())}.items():
        print(f"| {method} | {before:.2f} | {after:.2f} | {after / before:.2f} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    else:
        typer.run(main)
