"""Time and memory of every method: beside the public reference codes, or against the size.

    python benchmarks/speed.py [METHOD ...] [--image PATH] [--reference PATH] [--out PATH]
    python benchmarks/speed.py [METHOD ...] --sizes 128,256,512,1024 [--budget SECONDS]

Each method runs in a process of its own, on one thread. `cpu` and `wall` are the best of
three calls on the image, without imports and after a first call; `memory` is by how much a
call on a 512x512 scene raises the peak of a process that has already scored a small one.
The ratio is the reference code's seconds over ours. Times compare within one machine only.

With --sizes, each method and size has a process of its own that scores a square scene, once
where that takes longer than SLOW seconds; `memory` is of that scene. A size whose first call
would take longer than the budget, by what the smaller sizes took, is left out and marked. Every
row is kept at once in benchmarks/sizes.csv, beside the rows that are there already;
`speed_book.py` makes the table, the figure and the costs of `istsbench plan` from it.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from istsbench import Segmenter, create, names
from istsbench.data.synthetic import scene
from istsbench.files import write_atomic
from istsbench.provenance import environment
from istsbench.testing import prepared

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
REFERENCE_IMAGE = "Misc_66"  # 256x320, of NUAA-SIRST
FIELDS = ("method", "height", "width", "cpu", "wall", "reference", "ratio", "memory", "error")
SIZES = ("method", "side", "cpu", "wall", "memory", "machine", "note")
SLOW = 10.0  # seconds; a call that takes longer is made once
STEEPEST = 2.0  # power of the pixels that is assumed before two sizes are known


def peak() -> float:
    """The largest resident size of this process so far, MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def clocked(method: Segmenter, image: np.ndarray) -> tuple[float, float]:
    """CPU and wall seconds of one call."""
    start = time.process_time(), time.perf_counter()
    method.score(image)
    return time.process_time() - start[0], time.perf_counter() - start[1]


def best(spent: list[tuple[float, float]]) -> dict[str, float]:
    cpu, wall = (round(min(column), 6) for column in zip(*spent, strict=True))
    return {"cpu": cpu, "wall": wall}


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
        row.update(best([clocked(method, image) for _ in range(repeats)]))
    except Exception as error:  # one method that fails must not end the others
        row["error"] = f"{type(error).__name__}: {error}"
    return row


def measure_size(name: str, side: int) -> dict[str, Any]:
    """Seconds and MiB of one method for a scene of side x side; random weights do for a network."""
    cv2.setNumThreads(1)
    row: dict[str, Any] = {"method": name, "side": side, "machine": environment()["cpu"]}
    try:
        with TemporaryDirectory() as folder:
            method, image = prepared(create(name), Path(folder)), scene(side, side)
            method.score(scene())
            before = peak()
            spent = [clocked(method, image)]
            row["memory"] = round(peak() - before, 1)
            if spent[0][1] < SLOW:
                spent += [clocked(method, image) for _ in range(2)]
        row.update(best(spent))
    except Exception as error:
        row["note"] = f"{type(error).__name__}: {error}"
    return row


def expected(known: dict[int, float], side: int) -> float:
    """Seconds that a size will take, by the line through the two largest that are smaller."""
    below = sorted(one for one in known if one < side)
    if not below:
        return 0.0
    power = STEEPEST
    if len(below) > 1:
        small, large = below[-2:]
        rise = math.log(known[large] / known[small])
        power = max(rise / math.log(large**2 / small**2), 0.0)
    return float(known[below[-1]] * (side**2 / below[-1] ** 2) ** power)


def alone(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """The row that `work` returns in a new process, or none but the reason if that died."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        done: Future[dict[str, Any]] = pool.submit(work, *arguments)
        try:
            return done.result()
        except Exception as error:  # the process itself died, for want of memory say
            return {"error": f"{type(error).__name__}: {error}"}


def write(path: Path, fields: tuple[str, ...], rows: Iterable[dict[str, Any]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(path, text.getvalue().encode())


def over_sizes(methods: list[str], sides: list[int], budget: float, path: Path) -> int:
    """Measure each method at each size, the smallest first; the number that failed."""
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    if path.is_file():
        with path.open(newline="") as file:
            rows = {(row["method"], int(row["side"])): row for row in csv.DictReader(file)}
    failed = 0
    print(f"{'method':<12}{'side':>6}{'cpu s':>10}{'wall s':>10}{'MiB':>8}")
    for name in methods:
        known = {
            side: float(row["cpu"])
            for (method, side), row in rows.items()
            if method == name and row.get("cpu")
        }
        for side in sides:
            seconds = expected(known, side)
            if seconds > budget:
                row = {"note": f"left out: about {seconds:.3g} s"}
            else:
                row = alone(measure_size, name, side)
            if "error" in row:
                row = {"note": row["error"]}
            if "cpu" in row or not rows.get((name, side), {}).get("cpu"):  # a time is not lost
                rows[name, side] = {"method": name, "side": side, **row}
            write(path, SIZES, (rows[key] for key in sorted(rows)))
            if "cpu" in row:
                known[side] = max(row["cpu"], 1e-5)
                print(
                    f"{name:<12}{side:>6}{row['cpu']:>10.4f}{row['wall']:>10.4f}"
                    f"{row['memory']:>8.0f}",
                    flush=True,
                )
                continue
            print(f"{name:<12}{side:>6}  {row['note']}", flush=True)
            failed += not row["note"].startswith("left out")
    return failed


def whole_numbers(text: str) -> list[int]:
    """Sides by comma, the smallest first."""
    return sorted({int(part) for part in text.split(",")})


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
    parser.add_argument("--sizes", type=whole_numbers, help="sides of square scenes by comma")
    parser.add_argument(
        "--budget", type=float, default=600.0, help="seconds that a size may take (%(default)g)"
    )
    parser.add_argument("--out", type=Path, help="default: speed.csv or sizes.csv beside this file")
    options = parser.parse_args()

    os.environ.update(dict.fromkeys(THREADS, "1"))  # the new processes inherit it
    methods = options.methods or names()
    if options.sizes:
        path = options.out or Path(__file__).with_name("sizes.csv")
        return int(over_sizes(methods, options.sizes, options.budget, path) > 0)
    image = read(options.image) if options.image else scene(256, 320)
    known = reference_seconds(options.reference) if options.reference else {}
    print(f"{'method':<12}{'cpu s':>10}{'wall s':>10}{'reference s':>13}{'ratio':>8}{'MiB':>8}")
    rows = []
    for name in methods:
        row = {"method": name, **alone(measure, name, image, not options.no_memory)}
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

    write(options.out or Path(__file__).with_suffix(".csv"), FIELDS, rows)
    return int(any("error" in row for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
