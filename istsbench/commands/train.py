"""`istsbench train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from istsbench.commands.guard import guarded

RECIPE = "Instead of the recipe's."


@guarded
def train(
    method: Annotated[str, typer.Argument(help='A network, as "acm" or "pixelgame(width=32)".')],
    dataset: Annotated[str, typer.Option(help="A name from `istsbench list datasets`.")],
    out: Annotated[Path, typer.Option(help="Folder of checkpoints, log and weights.")],
    recipe: Annotated[
        str, typer.Option(help="fast (native-size patches) or paper (as each paper states).")
    ] = "fast",
    epochs: Annotated[int | None, typer.Option(min=1, help=RECIPE)] = None,
    batch: Annotated[int | None, typer.Option(min=1, help=RECIPE)] = None,
    lr: Annotated[float | None, typer.Option(help=RECIPE)] = None,
    patch: Annotated[int | None, typer.Option(min=16, help=f"Pixels. {RECIPE}")] = None,
    loss: Annotated[str | None, typer.Option(help=RECIPE)] = None,
    seed: Annotated[int, typer.Option(help="Of the weights and the patches.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    precision: Annotated[str, typer.Option(help="fp32 or bf16.")] = "fp32",
    max_minutes: Annotated[
        float | None, typer.Option(help="Stop after so long; the same command goes on.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from what OUT holds.")] = True,
    final: Annotated[
        bool, typer.Option("--final", help="On train and val up to the chosen epoch.")
    ] = False,
    compile: Annotated[bool, typer.Option("--compile", help="Use torch.compile.")] = False,
    data_root: Annotated[Path | None, typer.Option(help="Folder above the data sets.")] = None,
) -> None:
    """Train a network: the epoch is chosen on validation images, never on test images."""
    from istsbench.training import train_command

    train_command(
        method, dataset, out, recipe, epochs, batch, lr, patch, loss, seed, device, precision,
        max_minutes, resume, final, compile, data_root,
    )  # fmt: skip
