"""`istsbench train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from istsbench.commands.completion import complete_methods
from istsbench.commands.errors import STOPPED, handle_errors, say
from istsbench.commands.options import DepthOption, OneDataset

RECIPE = "Instead of the recipe's."


@handle_errors
def train(
    method: Annotated[
        str,
        typer.Argument(
            help='A network, as "acm" or "pixelgame(width=32)".', autocompletion=complete_methods
        ),
    ],
    dataset: OneDataset,
    out: Annotated[Path, typer.Option(help="Folder of checkpoints, log and weights.")],
    recipe: Annotated[
        str | None,
        typer.Option(
            help="fast (ours) or paper (as each paper states).",
            show_default="fast; with --final that of OUT",
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help=RECIPE)] = None,
    batch: Annotated[int | None, typer.Option(min=2, help=RECIPE)] = None,
    lr: Annotated[float | None, typer.Option(help=RECIPE)] = None,
    patch: Annotated[int | None, typer.Option(min=16, help=f"Pixels. {RECIPE}")] = None,
    side: Annotated[
        int | None,
        typer.Option(
            min=16, help=f"Patches are cut from images resized to this square, pixels. {RECIPE}"
        ),
    ] = None,
    validations: Annotated[
        int | None,
        typer.Option(min=1, help=f"Scores on validation images, at least so many. {RECIPE}"),
    ] = None,
    loss: Annotated[str | None, typer.Option(help=RECIPE)] = None,
    images: Annotated[
        int | None,
        typer.Option(min=2, help=f"Images an epoch, each in its turn; usually all. {RECIPE}"),
    ] = None,
    change: Annotated[
        list[str],
        typer.Option(
            "--set", metavar="FIELD=VALUE", help="Other fields of the recipe, as centred=0.9."
        ),
    ] = [],  # noqa: B006
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of weights and patches.", show_default="0")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    precision: Annotated[
        str | None,
        typer.Option(
            help="fp32 or bf16.", show_default="that of OUT, else bf16 where it is faster"
        ),
    ] = None,
    max_minutes: Annotated[
        float | None, typer.Option(help="Stop after so long; the same command goes on.")
    ] = None,
    resume: Annotated[
        bool, typer.Option(help="Go on from what OUT holds; --no-resume gives it up.")
    ] = True,
    final: Annotated[
        bool,
        typer.Option("--final", help="Once more by the plan in OUT, on train and val together."),
    ] = False,
    start: Annotated[
        str | None,
        typer.Option(
            help="Weights to begin with: a file, or a data set whose published ones are meant; of "
            "the same network, or of a narrower one, which is widened.",
            show_default="random",
        ),
    ] = None,
    compile: Annotated[bool, typer.Option("--compile", help="torch.compile, on a GPU.")] = False,
    depth: DepthOption = "image",
    data_root: Annotated[Path | None, typer.Option(help="Folder above the data sets.")] = None,
) -> None:
    """Train a network: the epoch is chosen on validation images, never on test images."""
    from istsbench.data.datasets import open_dataset
    from istsbench.data.names import one_name
    from istsbench.errors import Stopped
    from istsbench.networks.learner import Ranks
    from istsbench.networks.network import Network
    from istsbench.networks.recipe import changes_of
    from istsbench.networks.training import FINAL, LAST
    from istsbench.networks.training import train as go
    from istsbench.registry import choose

    chosen = choose(method)
    network = chosen[0].create()
    if len(chosen) > 1 or not isinstance(network, Network):
        raise Stopped(f"{method!r} is not one network: there is nothing to train")
    options = {
        "epochs": epochs, "batch": batch, "lr": lr, "patch": patch, "side": side,
        "validations": validations, "loss": loss, "images": images,
    }  # fmt: skip
    given = {name: value for name, value in options.items() if value is not None}
    changes = changes_of(",".join(change))
    if twice := sorted(given.keys() & changes):
        raise Stopped(f"{twice[0]} is given twice, by --{twice[0]} and by --set")
    try:
        data = open_dataset(one_name(dataset), data_root, depth)
        trained = go(
            network, data, out, recipe, seed=seed, device=device, precision=precision,
            compile=compile, max_minutes=max_minutes, resume=resume, final=final, start=start,
            show=True, **given, **changes,
        )  # fmt: skip
    except KeyboardInterrupt:
        say("stopped; kept up to the last checkpoint, the same command continues from there")
        raise typer.Exit(STOPPED) from None
    finally:
        Ranks.leave()
    folder = out / FINAL if final else out
    state = "done" if (folder / LAST).is_file() else "time is over, the same command goes on"
    if Ranks.first():  # it alone writes
        say(f"{state}: {trained.weights or 'no weights yet'}")
    Ranks.done()
