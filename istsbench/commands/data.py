"""`istsbench data`: list, fetch, verify, stats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from istsbench.commands.completion import complete_datasets
from istsbench.commands.errors import handle_errors, say
from istsbench.commands.options import KNOWN, SEVERAL, DepthOption, Width, WidthOption

data = typer.Typer(help="The data sets: what is here, fetch, verify, statistics.")

Name = Annotated[str, typer.Argument(help=f"{KNOWN}.", autocompletion=complete_datasets)]
Root = Annotated[
    Path | None,
    typer.Option("--data-root", help="Folder above the data sets; else $ISTSBENCH_DATA."),
]


@data.command("list", epilog="Example: `istsbench data list`")
@handle_errors
def list_(data_root: Root = None) -> None:
    """Say which data sets are here, with their splits, and where the others are looked for."""
    from istsbench.data.datasets import NAMES, open_dataset
    from istsbench.errors import DataError

    for name in NAMES:
        try:
            found = open_dataset(name, data_root)
        except DataError as error:
            print(f"{name}: {error}")
        else:
            parts = ", ".join(f"{split} {len(names)}" for split, names in found.splits.items())
            print(f"{name}: {found.title}; {parts}")


@data.command(epilog="Example: `istsbench data fetch nuaa`")
@handle_errors
def fetch(name: Name, data_root: Root = None) -> None:
    """Download a data set, verified file by file, or say how to get it by hand."""
    from istsbench.data import fetch as download
    from istsbench.data.names import one_name

    print(f"complete and verified: {download.fetch(one_name(name), data_root)}")


@data.command(epilog="Example: `istsbench data verify nuaa`")
@handle_errors
def verify(name: Name, data_root: Root = None) -> None:
    """Look for everything that is wrong with a data set; exit code 1 on an error."""
    from rich.console import Console

    from istsbench.data.names import one_name
    from istsbench.data.verify import verify as examine

    report = examine(one_name(name), data_root)
    if Console().is_terminal:
        Console(emoji=False).print(report.table())
        print(report.verdict())
    else:
        print(report.text())
    if not report.ok:
        raise typer.Exit(1)


@data.command(epilog="Example: `istsbench data stats nuaa,nust --out results/statistics`")
@handle_errors
def stats(
    name: Annotated[str, typer.Argument(help=SEVERAL, autocompletion=complete_datasets)],
    split: Annotated[str, typer.Option(help="all, test, train, ...")] = "all",
    margin: Annotated[
        int | None,
        typer.Option(min=1, help="Pixels around a target for its SCR; else three times it."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for CSV and picture.")] = Path(
        "results/statistics"
    ),
    width: WidthOption = Width.page,
    depth: DepthOption = "image",
    data_root: Root = None,
) -> None:
    """Measure targets: the paper's Table I and Fig. 4 as CSV and picture."""
    from istsbench.data.datasets import open_dataset
    from istsbench.data.names import split_names
    from istsbench.data.statistics import statistics, summary
    from istsbench.figures.statistics import save
    from istsbench.figures.style import Layout

    measured = []
    for one in split_names(name):
        say(f"measuring {one}")
        measured.append(statistics(open_dataset(one, data_root, depth), split, margin))
    print(summary(measured).T.to_string())
    paths = save(measured, out, margin, Layout(width.value))
    print("written: " + ", ".join(map(str, paths)))
