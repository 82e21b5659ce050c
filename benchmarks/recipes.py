"""Trainings by the recipe of a network and by others with something changed, on validation images.

    python benchmarks/recipes.py pixelgame-slim --dataset nuaa --epochs 16 --validations 2 \\
        --try rescale=1.5 --try blur=1.0 --try lr=1e-3,centred=0.9 --seeds 0,1

One line a training, with the scores of its best epoch on the images of the split "val"; the
test images are not read. `--try` names fields of `istsbench.networks.recipe.Recipe`; the first line
of a seed is the recipe as it is. The same command goes on from what is in OUT.
"""

from pathlib import Path
from typing import Annotated

import typer

from istsbench.data.datasets import open_dataset
from istsbench.networks.checkpoint import read_weights
from istsbench.networks.recipe import changes_of
from istsbench.networks.training import train
from istsbench.registry import choose

SCORES = ("f1_image", "iou_image", "iou_pooled")


def told(weights: Path) -> list[str]:
    """The epoch that was kept and the scores of its answer on the validation images, as text."""
    header = read_weights(weights)[1]
    # The network's answer is the first of its outputs.
    scores = [next(v for k, v in header["scores"].items() if k.endswith(end)) for end in SCORES]
    return [str(header["plan"]["epoch"]), *(f"{score:.3f}" for score in scores)]


def main(
    method: str,
    dataset: Annotated[str, typer.Option()],
    epochs: Annotated[int, typer.Option()],
    tries: Annotated[list[str], typer.Option("--try", help="field=value,... of the recipe")] = [],  # noqa: B006
    seeds: str = "0",
    validations: int = 2,
    precision: str = "bf16",
    out: Path = Path("runs/recipes"),
) -> None:
    """Train by each recipe with each seed and print what the validation images say."""
    data, (choice,) = open_dataset(dataset), choose(method)
    usual = {"epochs": epochs, "validations": validations}
    recipes = {text or "as it is": usual | changes_of(text) for text in ["", *tries]}
    print(f"| {method}, {epochs} epochs | seed | epoch | F1 | IoU | pooled IoU |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, changes in recipes.items():
        for seed in map(int, seeds.split(",")):
            trained = train(
                choice.create(), data, out / f"{name}-{seed}", seed=seed, precision=precision,
                **changes,
            )  # fmt: skip
            cells = [name, str(seed), *told(trained.weights)]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    typer.run(main)
