"""`istsbench merge`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from istsbench.commands.errors import handle_errors, say
from istsbench.commands.options import Out

merging = typer.Typer()


@merging.command(epilog="Example: `istsbench merge node1/results node2/results --out results`")
@handle_errors
def merge(
    folders: Annotated[list[Path], typer.Argument(help="Results folders of shards.")],
    out: Out = Path("results"),
) -> None:
    """Copy the maps of shards into one results folder; `istsbench run` then counts them."""
    from istsbench.runs import shards

    done = shards.merge(folders, out)
    print(f"{out}: {done.copied} files copied, {done.present} were there already")
    for path, reason in done.refused.items():
        say(f"refused: {path}: {reason}")
    if done.refused:
        raise typer.Exit(1)
