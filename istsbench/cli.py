"""The command line: each command calls one library function and prints what came of it.

Exit codes: 0 all good, 1 something failed, 2 wrong usage.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from istsbench import __version__
from istsbench.commands.apply import apply
from istsbench.commands.completion import complete_methods
from istsbench.commands.convert import converting
from istsbench.commands.data import data
from istsbench.commands.errors import handle_errors, say, show_traceback
from istsbench.commands.glossary import words
from istsbench.commands.merge import merging
from istsbench.commands.options import (
    DataRoot,
    DepthOption,
    Empty,
    EmptyOption,
    OneDataset,
    Out,
    Reduction,
    Rule,
    Split,
    Tags,
    Width,
    WidthOption,
)
from istsbench.commands.paper import paper
from istsbench.commands.plugin import plugin
from istsbench.commands.printed import printed
from istsbench.commands.reproduce import reproducing
from istsbench.commands.results import results
from istsbench.commands.run import run, say_of_figures
from istsbench.commands.scale import scale
from istsbench.commands.table import tables
from istsbench.commands.train import train

app = typer.Typer(
    help="Benchmark of infrared small target segmentation under one stated protocol.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"istsbench {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where in the code an error was raised.")
    ] = False,
) -> None:
    show_traceback(traceback)


app.add_typer(data, name="data", no_args_is_help=True)
for part in (tables, paper, printed, plugin, scale, merging, reproducing, words, converting):
    app.add_typer(part)
app.add_typer(results, name="results", no_args_is_help=True)


class Listing(StrEnum):
    methods = "methods"
    datasets = "datasets"
    rules = "rules"
    groups = "groups"


class Against(StrEnum):
    seconds = "seconds"
    parameters = "parameters"


app.command(epilog="Example: `istsbench run --methods all --dataset nuaa --jobs 2`")(run)


app.command(epilog="Example: `istsbench apply tophat,acm my_pictures --out found`")(apply)


@app.command("list", epilog="Example: `istsbench list methods`")
@handle_errors
def list_(what: Annotated[Listing, typer.Argument()] = Listing.methods) -> None:
    """List methods, data sets, threshold rules or groups."""
    from istsbench.commands import listings

    listings.show(what.value)


@app.command(epilog="Example: `istsbench info ipi` or, for a paper, `istsbench info ipi --bibtex`")
@handle_errors
def info(
    method: Annotated[
        str,
        typer.Argument(
            help="A name from `istsbench list`, or mine.py:detect.", autocompletion=complete_methods
        ),
    ],
    bibtex: Annotated[
        bool, typer.Option("--bibtex", help="Only the method's publication, as BibTeX.")
    ] = False,
) -> None:
    """Show a method: citation, parameters with meaning, status, rule, the paper's row."""
    from istsbench.commands import listings

    if bibtex:
        print(listings.bibtex_of(method))
    else:
        listings.show_method(method)


@app.command(epilog="Example: `istsbench plot roc --dataset nuaa --width column --to roc.pdf`")
@handle_errors
def plot(
    name: Annotated[str, typer.Argument(help="A figure by name; `all` draws every one.")],
    dataset: OneDataset,
    rule: Annotated[Rule, typer.Option()] = Rule.own,
    reduction: Annotated[Reduction, typer.Option()] = Reduction.image,
    methods: Annotated[
        str | None,
        typer.Option(
            help="Only these rows by comma: names, labels or groups; the file gets its own name."
        ),
    ] = None,
    images: Annotated[str, typer.Option(help="Images to show, by comma.")] = "",
    against: Annotated[Against, typer.Option(help="Below the Pareto figure.")] = Against.seconds,
    width: WidthOption = Width.page,
    every: Annotated[
        bool, typer.Option("--all", help="roc, roc-log, pr, pdfa: all curves, a panel a group.")
    ] = False,
    stamp: Annotated[
        bool, typer.Option("--stamp", help="Hash of the data and version at the foot.")
    ] = False,
    foot: Annotated[
        bool,
        typer.Option("--foot/--no-foot", help="Without: print its text, for a caption."),
    ] = True,
    format: Annotated[
        str, typer.Option(help="png, pdf, svg, by comma; else png,pdf, or the ending of --to.")
    ] = "",
    to: Annotated[
        Path | None, typer.Option(help="Write this file instead, whatever is there.")
    ] = None,
    tag: Annotated[
        str | None, typer.Option(help="Folder below OUT, if it is not the data set's name.")
    ] = None,
    empty: EmptyOption = Empty.zero,
    out: Out = Path("results"),
    data_root: DataRoot = None,
) -> None:
    """Draw a figure from stored results: bars, roc, pr, pdfa, grid, gallery, pareto, cd, ..."""
    from istsbench.data.datasets import open_dataset
    from istsbench.data.names import one_name
    from istsbench.figures.catalogue import Request, draw_asked
    from istsbench.figures.style import Layout
    from istsbench.registry import by_comma
    from istsbench.results.folders import dataset_of, results_folder
    from istsbench.results.results import Results
    from istsbench.results.rows import rows_named
    from istsbench.results.shipped import can_join
    from istsbench.runs.shards import Named

    opened = open_dataset(dataset_of(out, one_name(dataset)), data_root)
    folder = out / tag if tag else results_folder(out, one_name(dataset))
    specs = rows_named(folder, methods) if methods else None
    results = Results.load(folder, specs, empty.value)
    shown = Named.read(images).names if images else ()
    some = specs is not None and set(specs) != set(rows_named(folder, "all"))
    request = Request(
        results, results.scored(opened), rule.value, reduction.value, shown, some, every,
        Layout(width.value, stamp, foot),
    )  # fmt: skip
    formats = by_comma(format, "--format") if format else ()
    done = draw_asked(name, request, against.value, to, formats, show=True)
    print("written: " + ", ".join(map(str, done.paths)))
    say_of_figures(done)
    if specs is None and (rows := can_join(results)):
        name = results.any_record.dataset
        say(f"note: the {rows} shipped rows join by `istsbench import published:{name}`")


@app.command(epilog="Example: `istsbench score --pred my_masks --dataset nuaa --label Mine`")
@handle_errors
def score(
    pred: Annotated[
        Path,
        typer.Option(
            help="Folder of predictions, or of one folder a method: pictures, .npy, .npz or .mat, "
            "called NAME or NAME_Pred."
        ),
    ],
    dataset: OneDataset,
    label: Annotated[
        str | None,
        typer.Option(help="Name of the row; else that of its folder below PRED, or `submitted`."),
    ] = None,
    split: Split = "test",
    suffix: Annotated[
        str | None,
        typer.Option(
            help="What stands behind an image's name in that of its file; else `_Pred` or nothing."
        ),
    ] = None,
    resize: Annotated[
        bool,
        typer.Option(
            "--resize", help="Bring maps of another size to that of their images (bilinear)."
        ),
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of rows with the same labels.")
    ] = False,
    depth: DepthOption = "image",
    empty: EmptyOption = Empty.zero,
    out: Out = Path("results"),
    data_root: DataRoot = None,
) -> None:
    """Score a folder of anyone's predictions; each method becomes a row of the table."""
    from istsbench.data.datasets import open_dataset
    from istsbench.data.names import one_name
    from istsbench.results.predictions import submit_all
    from istsbench.results.results import Results
    from istsbench.tables.table_vi import console

    opened = open_dataset(one_name(dataset), data_root, depth)
    folder, records = submit_all(
        pred, opened, out, label=label, split=split, suffix=suffix, resize=resize, replace=replace
    )
    for reduction in ("image", "pooled"):
        results = Results.load(folder, [record.method for record in records], empty.value)
        console(results, "own", reduction)


@app.command(epilog="Example: `istsbench report --dataset nuaa`")
@handle_errors
def report(
    dataset: Tags = "nuaa",
    rule: Annotated[Rule, typer.Option(help="Shown first, and of the pictures.")] = Rule.own,
    reduction: Annotated[Reduction, typer.Option(help="Shown first.")] = Reduction.image,
    empty: EmptyOption = Empty.zero,
    out: Out = Path("results"),
    data_root: DataRoot = None,
) -> None:
    """Write OUT/DATASET/report.html: tables, figures, methods and failures in one file."""
    from istsbench.data.datasets import open_dataset
    from istsbench.data.names import FOLDER, split_names
    from istsbench.report.page import write_report
    from istsbench.results.folders import results_folder

    for name in split_names(dataset):
        opened = open_dataset(name) if name.startswith(FOLDER) else None
        done = write_report(
            results_folder(out, name), data_root, rule.value, reduction.value, dataset=opened,
            empty=empty.value, show=True,
        )  # fmt: skip
        print(f"written: {done.paths[0]} ({done.paths[0].stat().st_size / 1e6:.1f} MB)")
        say_of_figures(done)


@app.command(epilog='Example: `istsbench export mine.zip --dataset nuaa --methods "mpcm,ipi"`')
@handle_errors
def export(
    pack: Annotated[Path, typer.Argument(help="File to write, PACK.zip.")],
    dataset: Tags = "nuaa",
    methods: Annotated[str, typer.Option(help="Rows by comma: names, labels or groups.")] = "all",
    out: Out = Path("results"),
) -> None:
    """Write a results pack: rows with counts and masks that others can import."""
    from istsbench.data.names import one_name
    from istsbench.results.folders import results_folder
    from istsbench.results.packs import export_pack
    from istsbench.results.rows import EVERY, rows_named

    folder = results_folder(out, one_name(dataset))
    specs = None if methods.strip() == EVERY else rows_named(folder, methods)
    done = export_pack(folder, pack, specs)
    size = pack.stat().st_size / 1e6
    print(f"written: {pack} ({len(done)} methods: {', '.join(done)}; {size:.2f} MB)")


@app.command("import", epilog="Example: `istsbench import theirs.zip`")
@handle_errors
def import_(
    pack: Annotated[
        str,
        typer.Argument(
            help="A results pack, PACK.zip; or published:nuaa, published:nust: the rows that ship "
            "with this package."
        ),
    ],
    dataset: Annotated[
        str, typer.Option(help="What to check it against, if not by name: folder:PATH.")
    ] = "",
    out: Out = Path("results"),
    data_root: DataRoot = None,
) -> None:
    """Check a results pack and enter its rows, or refuse it with the reason."""
    from istsbench.data.datasets import open_dataset
    from istsbench.data.names import one_name
    from istsbench.errors import WrongUse
    from istsbench.results.packs import import_pack
    from istsbench.results.shipped import PREFIX, import_shipped

    if pack.startswith(PREFIX):
        if dataset or data_root is not None:
            raise WrongUse(f"{pack}: shipped rows have no masks to check against a data set")
        folder, new, left = import_shipped(pack.removeprefix(PREFIX), out)
        print(f"{folder}: new: {', '.join(new) or 'none'}")
        if left:
            print(f"there already, not touched: {', '.join(left)}")
        return
    opened = open_dataset(one_name(dataset), data_root) if dataset else None
    done = import_pack(Path(pack), out, data_root, dataset=opened)
    print(f"{done.folder}: new: {', '.join(done.methods) or 'none'}", end="")
    print(f"; there already: {', '.join(done.present)}" if done.present else "")
    if done.verified:
        print("the counts of the own rules were made again from the masks and agree")
    else:
        print(f"not checked against the data set: {done.why}")


app.command(epilog="Example: `istsbench train acm --dataset nuaa --out runs/acm`")(train)


def main() -> None:
    """Entry point of the `istsbench` command."""
    app()
