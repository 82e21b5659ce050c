"""What a training step and the score of one image cost, here and in another checkout.

    python benchmarks/rate.py --before ../older --rounds 3

Both checkouts have an environment in `.venv`. They are measured in turns, each time in a new
process, so that a machine which does other things is as loaded for one as for the other. Seconds
are of the processor, over all threads: the least of all rounds, after a warm-up. A step is one of
8 patches of 128x128, an image has 256x320.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

HERE = Path(__file__).resolve().parents[1]
STEPS = ("step default", "step best")  # best: bf16 by torch.compile where there are no kernels
SCORES = ("score fp32", "score bf16")


def measure(name: str, what: str, repeats: int) -> dict[str, float]:
    """Processor and wall seconds of one call, and wall seconds of the first, in this process."""
    import torch

    from istsbench.registry import create

    torch.manual_seed(0)
    kind, how = what.split()
    if kind == "score":
        call = scoring(create(name, precision=how))
    else:
        call = stepping(create(name), how)
    begun = time.perf_counter()
    call()
    first = time.perf_counter() - begun
    call()
    spent = []
    for _ in range(repeats):
        wall, used = time.perf_counter(), time.process_time()
        call()
        spent.append((time.process_time() - used, time.perf_counter() - wall))
    cpu, wall = np.min(spent, axis=0)
    return {"cpu": float(cpu), "wall": float(wall), "first": first}


def scoring(network):
    found = network.pretrained("nuaa")
    image = np.random.default_rng(0).uniform(0, 255, (256, 320))
    return lambda: found.score(image)


def stepping(network, how):
    """One training step, as `train` with these options takes it, in an older checkout too."""
    from dataclasses import replace

    import torch

    module = network.build().to(memory_format=torch.channels_last)
    recipe = replace(network.recipes["fast"], patch=128, batch=8)
    learner = network.learner(module, recipe)
    learner.precision = "bf16" if how == "best" else "fp32"
    try:
        from istsbench.networks.fused import fuse
        from istsbench.networks.recipe import best_precision
    except ImportError:  # before there were kernels
        for part in learner.networks() if how == "best" else []:
            part.compile()
    else:
        learner.precision = best_precision(torch.device("cpu"))
        for part in learner.modules.values():
            fuse(part)
    pair = torch.randn(8, 2, 128, 128)
    images, masks = pair[:, :1], (pair[:, 1:] > 3).float()
    module.train()
    return lambda: learner.step(images, masks, 0.3)


def run(tree: Path, name: str, what: str, repeats: int) -> dict[str, float]:
    """`measure` in a process whose code is that of a checkout, by the Python in its `.venv`."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    words = [
        str(tree / ".venv" / "bin" / "python"),
        str(Path(__file__).resolve()),
        "--child",
        name,
        what,
        str(repeats),
    ]
    done = subprocess.run(words, cwd=tree, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-500:])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main(
    before: Annotated[Path | None, typer.Option(help="Another checkout.")] = None,
    networks: Annotated[str, typer.Option(help="By comma.")] = "pixelgame,pixelgame-slim",
    measures: Annotated[str, typer.Option(help="By comma.")] = ",".join((*STEPS, *SCORES)),
    rounds: int = 2,
    repeats: int = 3,
) -> None:
    print("| network | measure | CPU s before | CPU s | times faster | first call, s |")
    print("|---|---|---:|---:|---:|---:|")
    for name in networks.split(","):
        for what in measures.split(","):
            trees = {"now": HERE, **({"before": before.resolve()} if before else {})}
            found: dict[str, list[dict[str, float]]] = {tree: [] for tree in trees}
            for _ in range(rounds):
                for label, tree in trees.items():
                    found[label].append(run(tree, name, what, repeats))
            now = min(one["cpu"] for one in found["now"])
            old = min((one["cpu"] for one in found.get("before", [])), default=float("nan"))
            first = min(one["first"] for one in found["now"])
            print(
                f"| {name} | {what} | {old:.3g} | {now:.3g} | {old / now:.2f} | {first:.2g} |",
                flush=True,
            )


if __name__ == "__main__":
    if "--child" in sys.argv:
        name, what, repeats = sys.argv[-3:]
        print(json.dumps(measure(name, what, int(repeats))))
    else:
        typer.run(main)
