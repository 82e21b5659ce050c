"""`istsbench reproduce`: published rows counted again from our maps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from istsbench.commands.errors import handle_errors
from istsbench.commands.options import DataRoot, Out

reproducing = typer.Typer()


@reproducing.command(epilog="Example: `istsbench reproduce --dataset nuaa`")
@handle_errors
def reproduce(
    dataset: Annotated[
        str, typer.Option(help="Whose published rows: a name of `istsbench list datasets`.")
    ] = "nuaa",
    resized: Annotated[
        str,
        typer.Option(
            help="Methods by comma, or all, to run on images that are resized as the source does "
            "(minutes; their maps are kept)."
        ),
    ] = "",
    out: Out = Path("results"),
    data_root: DataRoot = None,
) -> None:
    """Write OUT/reproduced.md: published, our maps under their profile, our protocol."""
    from functools import cache

    from istsbench.data.datasets import NAMES, open_dataset, title_of
    from istsbench.data.names import one_name
    from istsbench.errors import UnknownName
    from istsbench.registry import choose
    from istsbench.tables.reproduced import reproduced
    from istsbench.tables.reproducedpage import write_reproduced

    name = one_name(dataset)
    if name not in NAMES:
        raise UnknownName("data set", name, list(NAMES))
    opened = cache(lambda: open_dataset(name, data_root))
    again = [choice.spec for choice in choose(resized)] if resized else []
    found = reproduced(out, title_of(name), opened, resized=again)
    paths = write_reproduced(found, out)
    agree = sum(one.agrees for one in found)
    print(f"{len(found)} published rows, {agree} agree; written: {', '.join(map(str, paths))}")
