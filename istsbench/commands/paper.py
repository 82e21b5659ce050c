"""`istsbench sensitivity` and `bundle`: what goes into a paper besides its tables."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from istsbench.commands.errors import handle_errors, say
from istsbench.commands.options import (
    Empty,
    EmptyOption,
    OneDataset,
    Out,
    Reduction,
    Rule,
    Tags,
    Width,
    WidthOption,
)
from istsbench.commands.table import chosen_results

paper = typer.Typer()


class Score(StrEnum):
    precision = "precision"
    recall = "recall"
    f1 = "f1"
    iou = "iou"


@paper.command(epilog="Example: `istsbench sensitivity --dataset nuaa`")
@handle_errors
def sensitivity(
    dataset: OneDataset,
    score: Annotated[Score, typer.Option(help="What is ranked by.")] = Score.iou,
    sizes: Annotated[
        str, typer.Option(help="native and 512 (maps and masks resized), by comma.")
    ] = "native,512",
    tag: Annotated[
        str | None, typer.Option(help="Folder below OUT, if it is not the data set's name.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    width: WidthOption = Width.page,
    empty: EmptyOption = Empty.zero,
    out: Out = Path("results"),
    data_root: Annotated[
        Path | None, typer.Option(help="Folder above the data sets; else $ISTSBENCH_DATA.")
    ] = None,
) -> None:
    """Rank the methods under every rule, reduction and size; write tables and a figure."""
    from istsbench.data.datasets import open_dataset
    from istsbench.data.names import one_name
    from istsbench.errors import UnknownName
    from istsbench.figures.sensitivity import ranks
    from istsbench.figures.style import Layout
    from istsbench.figures.writing import DrawnFrom, write_figure
    from istsbench.registry import by_comma
    from istsbench.results.folders import dataset_of, results_folder
    from istsbench.results.protocol import SIZES
    from istsbench.results.results import Results
    from istsbench.results.sensitivity import sensitivity as examine

    wanted = by_comma(sizes, "--sizes")
    for size in wanted:
        if size not in SIZES:
            raise UnknownName("size", size, list(SIZES))
    opened = open_dataset(dataset_of(out, one_name(dataset)), data_root)
    folder = out / tag if tag else results_folder(out, one_name(dataset))
    results = Results.load(folder, empty=empty.value)
    scored = results.scored(opened)
    found = examine(results, scored, out, score=score.value, sizes=wanted, jobs=jobs)
    paths = found.write(folder / found.name)
    layout = Layout(width.value)
    name = f"{found.name}-column" if layout.narrow else found.name
    missing = len(results.counts) - len(found.results.counts)
    origin = DrawnFrom.of(results, name, missing, layout.narrow)
    paths += write_figure(ranks(found, layout), folder / "figures", name, origin)
    print(found.markdown())
    print("written: " + ", ".join(map(str, paths)))


@paper.command(epilog="Example: `istsbench bundle --dataset nuaa,nust --to paper`")
@handle_errors
def bundle(
    to: Annotated[Path, typer.Option(help="Folder to write.")],
    dataset: Tags = "nuaa",
    rule: Annotated[Rule, typer.Option(help="Of the main table.")] = Rule.own,
    reduction: Annotated[Reduction, typer.Option(help="Of the main table.")] = Reduction.image,
    with_published: Annotated[
        bool,
        typer.Option("--with-published", help="The rows that ship with this package beside yours."),
    ] = False,
    empty: EmptyOption = Empty.zero,
    out: Out = Path("results"),
) -> None:
    """Write tables, LaTeX macros, figures, a protocol paragraph and references for a paper."""
    from istsbench.figures.freshness import not_drawn
    from istsbench.progress import busy
    from istsbench.report.bundle import bundle as write
    from istsbench.results.folders import results_folders

    sets = chosen_results(results_folders(out, dataset), "", empty.value, with_published)
    for results in sets:
        if missing := not_drawn(results, rule.value, reduction.value, out):
            name = f"published:{results.any_record.dataset}"
            first = f"; before that: istsbench import {name} --out {shlex.quote(str(out))}"
            say(missing + (first if with_published else ""))  # figures show what the folder holds
    with busy(f"writing {to}"):
        paths = write(sets, out, to, rule.value, reduction.value)
    print((to / "protocol.md").read_text(encoding="utf-8"))
    print(f"written: {len(paths)} files in {to}")
    print("to look at all of it: latexmk -pdf -cd " + shlex.quote(str(to / "preview.tex")))
