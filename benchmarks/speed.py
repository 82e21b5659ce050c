"""Time and memory of every method, beside the public reference codes.

    python benchmarks/speed.py [METHOD ...] [--image PATH] [--reference PATH] [--out PATH]

Each method runs in a process of its own, on one thread. `cpu` and `wall` are the best of
three calls on the image, without imports and after a first call; `memory` is by how much a
call on a 512x512 scene raises the peak of a process that has already scored a small one.
The ratio is the reference code's seconds over ours. Times compare within one machine only.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import resource
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from istsbench import create, names
from istsbench.testing import scene

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
REFERENCE_IMAGE = "Misc_66"  # 256x320, of NUAA-SIRST
FIELDS = ("method", "height", "width", "cpu", "wall", "reference", "ratio", "memory", "error")


def peak() -> float:
    """The largest resident size of this process so far, MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def measure(name: str, image: np.ndarray, memory: bool, repeats: int = 3) -> dict[str, Any]:
    """Seconds for `image`, float64 (H, W), and MiB for a scene of 512x512, of one method."""
    cv2.setNumThreads(1)
    row: dict[str, Any] = {"method": name, "height": image.shape[0], "width": image.shape[1]}
    try:
        method = create(name)
        method.score(scene())  # loads and compiles what is put off until then
        if memory:
            large = scene(512, 512)
            before = peak()
            method.score(large)
            row["memory"] = round(peak() - before, 1)
        method.score(image)
        spent = []
        for _ in range(repeats):
            start = time.process_time(), time.perf_counter()
            method.score(image)
            spent.append((time.process_time() - start[0], time.perf_counter() - start[1]))
        row["cpu"], row["wall"] = (round(min(column), 5) for column in zip(*spent, strict=True))
    except Exception as error:  # one method that fails must not end the others
        row["error"] = f"{type(error).__name__}: {error}"
    return row


def reference_seconds(path: Path) -> dict[str, float]:
    """Seconds of the reference codes by method, from a table with a column `image`."""
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["image"] == REFERENCE_IMAGE]
    return {row["method"]: float(row["seconds"]) for row in rows}


def read(path: Path) -> np.ndarray:
    """An image file as grey levels, float64 (H, W)."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise SystemExit(f"{path} is not an image that can be read")
    return image.astype(np.float64)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("methods", nargs="*", metavar="METHOD", help="default: all registered")
    parser.add_argument("--image", type=Path, help="default: a synthetic scene of 256x320")
    parser.add_argument(
        "--reference",
        type=Path,
        help=f"csv with the columns method, image, seconds; rows of {REFERENCE_IMAGE} count",
    )
    parser.add_argument(
        "--no-memory", action="store_true", help="leave out 512x512: minutes for the slowest"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".csv"))
    options = parser.parse_args()

    image = read(options.image) if options.image else scene(256, 320)
    known = reference_seconds(options.reference) if options.reference else {}
    os.environ.update(dict.fromkeys(THREADS, "1"))  # the new processes inherit it
    spawn = multiprocessing.get_context("spawn")
    print(f"{'method':<12}{'cpu s':>10}{'wall s':>10}{'reference s':>13}{'ratio':>8}{'MiB':>8}")
    rows = []
    for name in options.methods or names():
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            done: Future[dict[str, Any]] = pool.submit(measure, name, image, not options.no_memory)
            try:
                row = done.result()
            except Exception as error:  # the process itself died, for want of memory say
                row = {"method": name, "error": f"{type(error).__name__}: {error}"}
        rows.append(row)
        if "error" in row:
            print(f"{name:<12}  {row['error']}")
            continue
        cpu, theirs = row["cpu"], known.get(name)
        line = f"{name:<12}{cpu:>10.4f}{row['wall']:>10.4f}"
        if theirs is None:
            line += f"{'':>21}"
        else:
            row["reference"], row["ratio"] = theirs, round(theirs / cpu, 2)
            line += f"{theirs:>13.4f}{theirs / cpu:>8.1f}"
        print(f"{line}{row.get('memory', float('nan')):>8.0f}", flush=True)

    part = options.out.with_suffix(".part")
    with part.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    part.replace(options.out)
    return int(any("error" in row for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
