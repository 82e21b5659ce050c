"""What `istsbench env` shows: all that a result may depend on besides the method."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from istsbench.data.datasets import NAMES, locate, open_dataset, roots
from istsbench.errors import DataError
from istsbench.provenance import environment
from istsbench.registry import names

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
HARDWARE = ("system", "cpu", "cores", "gpu", "blas")


def surroundings(data_root: Path | None = None) -> dict[str, Any]:
    """Package, hardware, threads, versions and data sets, as JSON holds them.

    Loads the numerical libraries, which takes seconds: what is not loaded has no threads.
    """
    import cv2
    import torch

    known = environment()
    hardware = {key: known.pop(key) for key in HARDWARE if key in known}
    known.pop("threads")  # of a process of a run; those of this one follow
    return {
        "package": {
            "istsbench": known.pop("istsbench", "not installed"),
            "commit": known.pop("commit", "not in a checkout"),
            "folder": str(Path(__file__).parents[1]),
            "methods": len(names()),
        },
        "hardware": {"gpu": "none", **hardware, "usable cores": _usable()},
        "threads": {
            **{name: os.environ.get(name, "not set") for name in THREADS},
            **_pools(),
            "OpenCV": cv2.getNumThreads(),
            "torch": torch.get_num_threads(),
        },
        "versions": known,
        "data": {
            "root": [str(root) for root in roots(data_root)],
            **{name: state(name, data_root) for name in NAMES},
        },
    }


def _usable() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux knows
        return os.cpu_count() or 1


def _pools() -> dict[str, int]:
    """Threads of each pool that the loaded libraries have, by library and what brought it."""
    from threadpoolctl import threadpool_info

    found = {}
    for pool in threadpool_info():
        folder = Path(pool["filepath"]).parent
        owner = (folder.parent if folder.name == "lib" else folder).name.removesuffix(".libs")
        words = (pool["internal_api"], pool["version"], f"({owner})")
        found[" ".join(str(word) for word in words if word)] = int(pool["num_threads"])
    return found


def state(name: str, data_root: Path | None = None) -> str:
    """Whether a data set is here and how many images its splits have; pixels are not read."""
    if name != "synthetic":
        try:
            where = f", {locate(name, data_root)}"
        except DataError:
            return "not here"
    else:
        where = ", embedded"
    try:
        data = open_dataset(name, data_root)
    except DataError as error:
        return f"damaged: {error}"
    plain = {split: len(names) for split, names in data.splits.items() if "/" not in split}
    counts = ", ".join(f"{split} {number}" for split, number in sorted(plain.items()))
    return f"{len(data.names('all'))} images ({counts}){where}"


def environment_text(found: dict[str, Any]) -> str:
    """The surroundings as text, a line each; `istsbench data verify` checks the pixels."""
    lines = []
    for title, values in found.items():
        lines.append(title)
        wide = max(map(len, values))
        for key, value in values.items():
            text = ", ".join(value) if isinstance(value, list) else value
            lines.append(f"  {key:<{wide}}  {text}")
    return "\n".join(lines)
