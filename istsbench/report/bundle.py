"""What goes into a paper, in one folder: tables, numbers, figures, protocol, references.

    TO/tables/...        Table VI under both reductions, with intervals; the thresholds used
    TO/macros.tex        every number of the tables as a LaTeX macro
    TO/figures/TAG/...   the figures of each results folder that show the rule and the
                         reduction, or neither, and were drawn from just these results
    TO/protocol.tex .md  a paragraph that states the protocol, ready to paste
    TO/references.bib    just the methods and data sets in use
    TO/preview.tex       a document around all of it, to look at: `latexmk -pdf preview.tex`

Everything follows from results folders; nothing is run or scored again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import pandas as pd

from istsbench import __version__
from istsbench.files import write_atomic
from istsbench.metrics import REDUCTIONS
from istsbench.report.paragraph import counted_rows, protocol_text
from istsbench.results.protocol import Protocol
from istsbench.results.results import Results
from istsbench.tables import latex
from istsbench.tables.counterparts import OTHER_TABLES, measured, paper_beside
from istsbench.tables.markup import latex as escape_latex
from istsbench.tables.references import (
    Reference,
    bibliography,
    of_dataset,
    of_method,
)
from istsbench.tables.table import Table
from istsbench.tables.table_vi import table_vi

TABLE_FORMATS = ("csv", "md", "tex", "html")


def bundle(
    sets: Sequence[Results], out: Path, to: Path, rule: str = "own", reduction: str = "image"
) -> list[Path]:
    """Write the bundle of some results folders below `out` into `to`; returns its files.

    Figures are copied, never drawn; those that were drawn from other results are left out, and
    the preview names them.
    """
    from istsbench.figures.freshness import drawn

    tables = _tables(sets, out, rule, reduction)
    files: dict[str, str] = {}
    macros: dict[str, str] = {}
    for name, (table, ending) in tables.items():
        files |= {
            f"tables/{name}.{kind}": table.latex(cite=True) if kind == "tex" else table.text(kind)
            for kind in TABLE_FORMATS
        }
        macros |= {k: v for k, v in latex.macros(table, ending).items() if k not in macros}
    for results in sets:
        dataset, found = results.any_record.dataset, Protocol.of(results, rule, reduction)
        macros[latex.macro_name(dataset, "", "protocol")] = found.id
        macros[latex.macro_name(dataset, "", "images")] = str(results.any_record.images)
    files["macros.tex"] = latex.macro_file(macros, [f"istsbench {__version__}"])
    files["tables/thresholds.csv"] = thresholds(sets).to_csv(index=False)
    files["references.bib"] = bibliography(_references(sets))
    figures: dict[str, bytes] = {}
    old: list[str] = []
    for results in sets:
        pdf = drawn(results, rule, reduction, "pdf")
        at = f"figures/{results.folder.name}"
        figures |= {f"{at}/{path.name}": path.read_bytes() for path in pdf.current}
        old += [f"{at}/{path.name}" for path in pdf.old]
    shown = _shown([table for table, _ in tables.values()], figures)
    for kind, cite, escape in (("tex", _cite, escape_latex), ("md", " [@{}]".format, str)):
        files[f"protocol.{kind}"] = protocol_text(sets, rule, reduction, cite, escape, shown)
    files["preview.tex"] = _preview(tables, figures, old)
    contents = {name: text.encode() for name, text in files.items()} | figures
    for name, content in contents.items():
        write_atomic(to / name, content)
    return [to / name for name in contents]


def _tables(
    sets: Sequence[Results], out: Path, rule: str, reduction: str
) -> dict[str, tuple[Table, str]]:
    """Name -> table, and what its macros end in."""
    found = {
        "table_vi": (table_vi(sets, rule, reduction, beside="difference"), ""),
        "table_vi_intervals": (
            table_vi(sets, rule, reduction, beside="nothing", intervals=True),
            "",
        ),
    }
    for other in REDUCTIONS:
        if other != reduction:
            found[f"table_vi_{other}"] = (table_vi(sets, rule, other, beside="nothing"), other)
    for name in OTHER_TABLES.values():
        ours, protocol = measured(name, out, reduction)
        if ours is not None:
            found[name] = (paper_beside(name, ours, protocol=protocol), "")
    return found


def _shown(tables: Iterable[Table], figures: Iterable[str]) -> set[str]:
    """The scores in the tables, and Pd and Fa where a figure is of them."""
    columns = [
        table.column(name) for table in tables for _, block in table.blocks for name, _ in block
    ]
    found = {column.score for column in columns if not column.kind}
    of_targets = any(Path(name).name.startswith("pdfa") for name in figures)
    return found | ({"pd", "fa"} if of_targets else set())


def _preview(tables: Iterable[str], figures: Iterable[str], old: Collection[str]) -> str:
    inputs = [rf"\input{{tables/{name}.tex}}" for name in tables]
    pictures = [
        r"\begin{center}\includegraphics"
        rf"[width=\textwidth,height=0.9\textheight,keepaspectratio]{{{name}}}\end{{center}}"
        for name in figures
    ]
    if old:
        pictures.append(f"Left out, drawn from other results: {escape_latex(', '.join(old))}.")
    return latex.document(
        r"\input{macros.tex}", r"\input{protocol.tex}", *inputs, r"\clearpage", *pictures,
        r"\bibliographystyle{plain}", r"\bibliography{references}",
    )  # fmt: skip


def _cite(key: str) -> str:
    return rf"~\cite{{{key}}}"


def _references(sets: Sequence[Results]) -> list[Reference | None]:
    datasets = [of_dataset(results.any_record.dataset) for results in sets]
    return [*datasets, *(of_method(record.method) for record in counted_rows(sets))]


def thresholds(sets: Sequence[Results]) -> pd.DataFrame:
    """The rule behind each name as it was used: data set, method, own, half, ..."""
    lines = [
        {"dataset": record.dataset, "method": record.label, **record.rules}
        for results in sets
        for record in results.records.values()
        if record.rules
    ]
    return pd.DataFrame(lines)
