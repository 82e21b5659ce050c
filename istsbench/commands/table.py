"""`istsbench table`: a table of the paper from stored results."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from istsbench.commands.errors import given, handle_errors, say
from istsbench.commands.options import (
    Empty,
    EmptyOption,
    Out,
    Reduction,
    Rule,
    Tags,
)
from istsbench.results.profiles import PROFILES

if TYPE_CHECKING:
    from istsbench.data.samples import Dataset
    from istsbench.results.profiles import Profile
    from istsbench.results.results import Results

tables = typer.Typer()

_COUNTED = ("precision", "recall", "f1", "iou", "pd", "fa")  # what a way of counting decides


class Match(StrEnum):
    """As `matching.MATCHES`."""

    first = "first"
    area = "area"
    hungarian = "hungarian"
    opdc = "opdc"
    shooting = "shooting"


class Format(StrEnum):
    csv = "csv"
    md = "md"
    tex = "tex"
    html = "html"
    text = "text"
    macros = "macros"


class Beside(StrEnum):
    nothing = "nothing"
    paper = "paper"
    difference = "difference"


class Elsewhere(StrEnum):
    none = "none"
    same = "same"
    all = "all"
    fitting = "fitting"
    recent = "recent"


@tables.command(epilog="Example: `istsbench table VI --dataset nuaa,nust --format tex`")
@handle_errors
def table(
    context: typer.Context,
    number: Annotated[
        str,
        typer.Argument(
            help="IV, V, VI, VII or VIII; or cross: networks on data sets they did not learn from."
        ),
    ],
    dataset: Tags = "nuaa",
    rule: Annotated[Rule, typer.Option()] = Rule.own,
    reduction: Annotated[Reduction, typer.Option()] = Reduction.image,
    match: Annotated[
        Match, typer.Option(help="Which predicted regions find which targets: Pd and Fa.")
    ] = Match.first,
    profile: Annotated[
        str,
        typer.Option(
            help="Score the stored maps as a public code does, in place of rule, reduction and "
            f"match: {', '.join(PROFILES)}."
        ),
    ] = "",
    format: Annotated[Format, typer.Option(help="macros: a LaTeX macro a number.")] = Format.md,
    beside: Annotated[
        Beside | None,
        typer.Option(help="What stands beside our numbers; else the difference to the paper."),
    ] = None,
    published: Annotated[
        Elsewhere,
        typer.Option(
            help="Rows from other papers: of the same methods, or all; of the audited collection "
            "of 2022 to 2026, those that fit our split, or all with verdicts."
        ),
    ] = Elsewhere.none,
    intervals: Annotated[
        bool, typer.Option("--intervals", help="95 % intervals, and what equals the best.")
    ] = False,
    over_seeds: Annotated[
        bool, typer.Option("--seeds", help="One row, mean and spread, for runs of several seeds.")
    ] = False,
    methods: Annotated[
        str, typer.Option(help="Only these rows by comma: names, labels or groups.")
    ] = "",
    columns: Annotated[
        str,
        typer.Option(
            help="Only these by comma, in this order: f1, iou, niou, pd, fa, auc, ap, seconds, "
            "f1_paper, ...; f1_nust is of one data set."
        ),
    ] = "",
    sort: Annotated[str, typer.Option(help="Best rows first by a column; or label, year.")] = "",
    top: Annotated[int | None, typer.Option(min=1, help="Only this many best rows.")] = None,
    cite: Annotated[
        bool,
        typer.Option("--cite", help="A citation beside each name (tex); --bib writes its file."),
    ] = False,
    bib: Annotated[
        Path | None,
        typer.Option(help="With --cite: write this .bib file, with every key that is cited."),
    ] = None,
    with_published: Annotated[
        bool,
        typer.Option(
            "--with-published",
            help="The rows that ship with this package beside yours, marked °; for figures too: "
            "`istsbench import published:nuaa`.",
        ),
    ] = False,
    empty: EmptyOption = Empty.zero,
    out: Out = Path("results"),
    data_root: Annotated[
        Path | None,
        typer.Option(help="Folder above the data sets, for --profile; else $ISTSBENCH_DATA."),
    ] = None,
) -> None:
    """Print a table of the paper from stored results, with the paper's numbers beside."""
    from istsbench.data.names import split_names
    from istsbench.errors import WrongUse
    from istsbench.files import write_atomic
    from istsbench.registry import by_comma
    from istsbench.results.folders import results_folder
    from istsbench.results.profiles import profile_named
    from istsbench.tables import latex
    from istsbench.tables.choice import arranged, with_label
    from istsbench.tables.counterparts import OTHER_TABLES, measured, paper_beside
    from istsbench.tables.cross import cross_table
    from istsbench.tables.table_vi import table_vi

    if cite and format != "tex":
        raise WrongUse(f"--cite changes nothing in --format {format.value}: it is for tex")
    if bib and not cite:
        raise WrongUse("--bib holds what --cite cites: it changes nothing without it")
    if bib and bib.suffix != ".bib":
        raise WrongUse(f"--bib {bib} does not end in .bib")
    name = number.upper()
    if name == "VI":
        if columns and beside not in (None, Beside.nothing):
            raise WrongUse(
                "--columns names the paper's numbers itself (f1_paper, f1_diff), without --beside"
            )
        if not profile and data_root:
            raise WrongUse("--data-root changes nothing without --profile")
        if profile and with_published:
            raise WrongUse(
                "--profile is computed from maps, --with-published shows rows without: leave it "
                "out, or make their maps here by `istsbench run --methods all`"
            )
        fixed = ("rule", "reduction", "match", "empty", "intervals")
        if profile and (idle := [option for option in given(context) if option in fixed]):
            raise WrongUse(f"--profile fixes it: --{idle[0]} cannot be chosen beside it")
        chosen = profile_named(profile) if profile else None  # refused before anything is read
        named = split_names(dataset)
        folders = [results_folder(out, one) for one in named]
        sets = chosen_results(folders, methods, empty.value, with_published)
        if chosen:
            pairs = zip(sets, named, strict=True)
            sets = [_profiled(results, chosen, one, data_root) for results, one in pairs]
        under = sets[0].profile
        alone = bool(intervals or under)
        made = table_vi(
            sets,
            under.name if under else rule.value,
            under.reduction if under else reduction.value,
            beside=beside.value if beside else "nothing" if alone and not columns else "difference",
            elsewhere=published.value,
            intervals=intervals,
            over_seeds=over_seeds,
            match=match.value,
        )
        shown = by_comma(columns, "--columns") if columns else []
        whole = beside or format in (Format.csv, Format.macros)  # these have every column
        if not shown and not whole and (under or match != "first"):
            shown = [*_COUNTED]
        made = with_label(arranged(made, shown, sort, top), methods)
    elif name == "CROSS":
        own = ("number", "dataset", "rule", "reduction", "format", "methods", "empty", "out")
        _refuse_idle(context, own, "the table of cross-data scores")
        folders = [results_folder(out, one) for one in split_names(dataset)]
        made = cross_table(
            chosen_results(folders, methods, empty.value, False), rule.value, reduction.value
        )
    elif name in OTHER_TABLES:
        free = {"number", "format", "out", *(() if name == "VIII" else ("reduction",))}
        _refuse_idle(context, free, f"Table {name}")
        ours, protocol = measured(OTHER_TABLES[name], out, reduction.value)
        if ours is None:
            say(f"note: {out} has no measurements for it: the paper's numbers stand alone")
        made = paper_beside(OTHER_TABLES[name], ours, protocol=protocol)
    else:
        raise WrongUse(f"table {number!r} is not known, expected IV, V, VI, VII, VIII or cross")
    if format == "macros":
        text = latex.macro_file(latex.macros(made), latex.macro_units(made))
    else:
        text = made.latex(cite) if format == "tex" else made.text(format.value)
    if bib:
        write_atomic(bib, latex.references(made).encode())
    print(text)
    if latex.TOO_WIDE in text:
        say("note: the table is wider than a page of a journal; choose columns by --columns")


def _refuse_idle(context: typer.Context, used: Collection[str], table: str) -> None:
    from istsbench.errors import WrongUse

    if idle := [option for option in given(context) if option not in used]:
        option = idle[0].removeprefix("over_").replace("_", "-")
        raise WrongUse(f"--{option} changes nothing in {table}")


def chosen_results(
    folders: list[Path], methods: str, empty: str, with_published: bool
) -> list[Results]:
    """The results of some folders, of the rows that `methods` names, or of all by ""."""
    from istsbench.results.results import Results
    from istsbench.results.rows import EVERY, rows_across
    from istsbench.results.shipped import all_with_shipped

    if with_published:
        return all_with_shipped(folders, empty, methods or EVERY)
    if not methods:
        return [Results.load(folder, empty=empty) for folder in folders]
    pairs = zip(folders, rows_across(folders, methods), strict=True)
    return [Results.load(folder, specs, empty) for folder, specs in pairs]


def _profiled(results: Results, profile: Profile, dataset: str, data_root: Path | None) -> Results:
    """The results under a profile; `dataset` is as the user wrote it."""
    from istsbench.data.datasets import open_dataset
    from istsbench.data.names import FOLDER
    from istsbench.errors import DataError
    from istsbench.results.profiled import profiled

    name = dataset if dataset.startswith(FOLDER) else results.any_record.dataset

    def opened() -> Dataset:
        if name.startswith("folder-"):
            raise DataError(f"{results.folder}: name its images by --dataset {FOLDER}PATH")
        return open_dataset(name, data_root)

    found = profiled(results, profile, opened)
    left_out = [one.label for spec, one in results.records.items() if spec not in found.records]
    if left_out:
        say(
            f"note: {name}: imported rows, whose maps are not here, are left out: "
            + ", ".join(left_out)
        )
    return found
