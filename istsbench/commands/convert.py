"""`istsbench convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from istsbench.commands.completion import complete_methods
from istsbench.commands.errors import handle_errors

converting = typer.Typer()


@converting.command(
    epilog="Example: `istsbench convert ACM_400.pth.tar --method acm --normalised 101.06,34.62 "
    "--out acm.safetensors`"
)
@handle_errors
def convert(
    file: Annotated[Path, typer.Argument(help="A checkpoint of PyTorch: .pth, .pth.tar, .pkl.")],
    method: Annotated[
        str,
        typer.Option(
            help='The network, as "acm"; its size is found. Or more of it: "acm(host=fpn)".',
            autocompletion=complete_methods,
        ),
    ],
    normalised: Annotated[
        str,
        typer.Option(
            help="What that code does to grey levels 0..255: MEAN,STD (0,255 where it divides by "
            "255), or imagenet."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Weight file to write, FILE.safetensors.")],
    side: Annotated[
        int | None,
        typer.Option(min=16, help="Square that it resizes images to; else their own size."),
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Which of several state dicts in the checkpoint.")
    ] = None,
) -> None:
    """Make a weight file of a checkpoint of the same network by other code, running none of it."""
    from istsbench.errors import WrongUse
    from istsbench.networks.convert import convert as go
    from istsbench.registry import choose

    chosen = choose(method)
    if len(chosen) > 1:
        raise WrongUse(f"{method!r} names {len(chosen)} methods, expected one network")
    done = go(file, chosen[0], normalised, out, side=side, key=key)
    print(f"written: {done.path} ({done.tensors} tensors)")
    for note in done.notes:
        print(f"note: {note}")
    print(f'use: istsbench run --methods "{done.spec}" --dataset nuaa')
