"""`istsbench results`: take rows out of a results folder, or rename them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from istsbench.commands.errors import handle_errors, say
from istsbench.commands.options import KNOWN, Out

results = typer.Typer(help="Rows of results: take some out, rename one.")

Folder = Annotated[
    str, typer.Option("--dataset", help=f"{KNOWN}; or the name of a results folder below OUT.")
]


@results.command(epilog="Example: `istsbench results remove acm --dataset nuaa`")
@handle_errors
def remove(
    rows: Annotated[str, typer.Argument(help="Rows by comma: names, labels or groups.")],
    dataset: Folder = "nuaa",
    out: Out = Path("results"),
) -> None:
    """Remove rows with their counts; their maps stay, so that a run counts them again."""
    from istsbench.data.names import one_name
    from istsbench.results import edit
    from istsbench.results.folders import results_folder
    from istsbench.results.rows import rows_named

    folder = results_folder(out, one_name(dataset))
    specs = rows_named(folder, rows)
    gone = edit.remove(folder, specs)
    print(f"removed: {', '.join(specs)} ({len(gone)} files)")
    _write_again(folder)


@results.command(epilog='Example: `istsbench results rename submitted "My net" --dataset nuaa`')
@handle_errors
def rename(
    row: Annotated[str, typer.Argument(help="A submitted or imported row: its name or label.")],
    label: Annotated[str, typer.Argument(help="Its label from now on.")],
    dataset: Folder = "nuaa",
    out: Out = Path("results"),
) -> None:
    """Give a submitted or imported row another label."""
    from istsbench.data.names import one_name
    from istsbench.errors import WrongUse
    from istsbench.results import edit
    from istsbench.results.folders import results_folder
    from istsbench.results.rows import rows_named

    folder = results_folder(out, one_name(dataset))
    specs = rows_named(folder, row)
    if len(specs) > 1:
        raise WrongUse(f"{row!r} names {len(specs)} rows, expected one: {', '.join(specs)}")
    print(f"renamed: {specs[0]} is now {edit.rename(folder, specs[0], label).method}, {label}")
    _write_again(folder)


def _write_again(folder: Path) -> None:
    """Bring the table and the protocol file of a folder up to its rows."""
    from istsbench.errors import DataError, ProtocolMix
    from istsbench.results.manifest import NAME, write_run_manifest
    from istsbench.results.results import Results
    from istsbench.tables.table_vi import table_vi

    try:
        left = Results.load(folder)
        paths = table_vi([left]).write(folder)
        if write_run_manifest(left) is None:
            (folder / NAME).unlink(missing_ok=True)
    except (DataError, ProtocolMix) as error:
        for path in (*folder.glob("table_vi.*"), folder / NAME):
            path.unlink(missing_ok=True)
        say(f"note: {error}; the table and {NAME} there are removed")
    else:
        print(f"written: {paths[0].parent}/; figures are drawn again by the next run or plot")
    others = sorted(path.name for path in folder.parent.glob("table_vi.*"))
    if others:
        say(f"note: {folder.parent}/{others[0]} is of several data sets; a run on them mends it")
