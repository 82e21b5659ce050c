"""`istsbench check` and `new`: for those who write a method of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from istsbench.commands.completion import complete_methods
from istsbench.commands.errors import handle_errors

plugin = typer.Typer()


@plugin.command(epilog="Example: `istsbench check mypackage.module:MyMethod`")
@handle_errors
def check(
    method: Annotated[
        str,
        typer.Argument(
            help='"tophat", "ipi(step=15)", a group, package.module:Class or mine.py:detect.',
            autocompletion=complete_methods,
        ),
    ],
) -> None:
    """Check what every method promises: form, purity, sizes, rule, time, ..."""
    from istsbench.plugins.check import check_all

    failed = False
    for report in check_all(method):
        print(report, flush=True)
        failed |= not report.passed
    if failed:
        raise typer.Exit(1)


@plugin.command(epilog="Example: `istsbench new mymethod`")
@handle_errors
def new(
    name: Annotated[str, typer.Argument(help="Of the method, its module and its folder.")],
    out: Annotated[Path, typer.Option(help="Folder in which to make it.")] = Path(),
) -> None:
    """Write a package with one method that works, its test and its entry point."""
    from istsbench.plugins.scaffold import write_package

    folder = write_package(name, out)
    print(f"written: {folder}/ ({', '.join(sorted(path.name for path in folder.iterdir()))})")
    print(f"next: pip install -e {folder} && istsbench check {name}")
