"""Tables and numbers as LaTeX: booktabs rules, and a macro for every number.

The text needs `booktabs`. Nothing is shrunk: a table too wide for a page becomes one a data set.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from istsbench.tables.columns import Column
from istsbench.tables.markup import LATEX, PLAIN
from istsbench.tables.markup import latex as escape
from istsbench.tables.published import PAPER_SETS
from istsbench.tables.scores import score_named
from istsbench.unregistered import is_unregistered

if TYPE_CHECKING:
    from istsbench.tables.table import Table

_SMALL, _WIDEST = 100, 140  # characters: more do not fit a page's width in \\small, \\scriptsize
LATIN = "\u017f"  # the last letter that pdflatex can be counted on to set
_NUMBERS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
TOO_WIDE = "% wider than a page: choose columns by --columns"
KEYS_FROM = (
    "% the keys are those of the file that `istsbench table ... --cite --bib FILE` writes, and "
    "of references.bib of `istsbench bundle`, with --with-published where the table had it"
)
_CITED = 6  # characters of a printed citation, as [12], and the space before it
_LOOSE = r"\renewcommand{\arraystretch}{1.2}"  # or underlines touch the row below


def number(text: str) -> str:
    """A printed number with a true minus or plus sign."""
    return re.sub(r"(?<![\w.])([+-])(?=\d)", r"$\1$", text)


def table_tex(table: Table, cite: bool = False) -> str:
    """`table*` floats: one, or one a data set where all of them are wider than a page.

    `cite` puts a \\cite beside each name that has a publication.
    """
    parts = [table] if _characters(table, cite) <= _WIDEST else _of_each(table)
    return "\n".join(_float(part, cite) for part in parts)


def _of_each(table: Table) -> list[Table]:
    """The table of each data set, without rows that are empty there; or all, if it is of one."""
    datasets = {columns[0][0]: table.column(columns[0][0]).dataset for _, columns in table.blocks}
    names = list(dict.fromkeys(datasets.values()))
    if len(names) < 2 or not set(names) <= set(table.places):
        return [table]
    parts = []
    for name in names:
        blocks = tuple(block for block in table.blocks if datasets[block[1][0][0]] == name)
        shown = [column for _, columns in blocks for column, _ in columns]
        frame = table.frame[table.frame[shown].notna().any(axis=1)].reset_index(drop=True)
        places = {name: table.places[name]}
        others = [title for other, title in table.titles.items() if other != name]
        notes = tuple(
            note
            for note in table.notes
            if table.titles[name] in note or not any(title in note for title in others)
        )
        parts.append(replace(table, frame=frame, blocks=blocks, places=places, notes=notes))
    return parts


def _float(table: Table, cite: bool) -> str:
    width = sum(len(columns) for _, columns in table.blocks)
    body, keys = [], iter(_keys(table) if cite else [""] * len(table.frame))
    for heading, rows in table.sections(LATEX, number):
        if heading:
            body += [r"\midrule", rf"\multicolumn{{{width + 1}}}{{l}}{{{escape(heading)}}} \\"]
        for label, *numbers in rows:
            key = next(keys)
            named = rf"{label}~\cite{{{key}}}" if key else label
            body.append(" & ".join([named, *numbers]) + r" \\")
    ended = (note if note.endswith((".", "!", "?", ":")) else f"{note}." for note in _notes(table))
    notes = r" \par ".join(map(escape, ended))
    characters = _characters(table, cite)
    small = [r"\small"]
    if characters > _SMALL:
        small = [r"\scriptsize", r"\setlength{\tabcolsep}{2pt}"]
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            *_letters_needed(table),
            *([TOO_WIDE] * (characters > _WIDEST)),
            *([KEYS_FROM] * cite),
            r"\begin{table*}",
            r"\centering",
            rf"\caption{{{escape(_caption(table))}}}",
            rf"\label{{{_label(table)}}}",
            *small,
            _LOOSE,
            rf"\begin{{tabular}}{{l*{{{width}}}{{r}}}}",
            r"\toprule",
            *_head(table),
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\\[1ex]\parbox{\textwidth}{\footnotesize\raggedright " + notes + "}",
            r"\end{table*}",
            "",
        ]
    )


def _caption(table: Table) -> str:
    """What a journal prints after its own "Table 3": no number of ours."""
    if table.places:
        under = f", {table.under}" if table.under else ""
        return f"Comparison on {' and '.join(table.places.values())}{under}."
    title = re.sub(r"^Table [IVX]+\. *", "", table.title)
    return re.sub(r"^(Table \w+ of the paper), beside our m(.*)", r"Our m\2 beside \1", title) + "."


def _label(table: Table) -> str:
    words = [table.name, *table.places, table.label]
    return "tab:" + re.sub(r"[^a-z0-9]+", "-", "-".join(filter(None, words)).lower()).strip("-")


def _notes(table: Table) -> list[str]:
    """The protocol as a sentence without hashes, which the CSV has, and the notes."""
    how: dict[str, list[str]] = {}
    for dataset in table.places:
        how.setdefault(table.sentences[dataset], []).append(table.titles[dataset])
    said = [f"{' and '.join(titles)}: {text}." for text, titles in how.items()]
    return [*(said or table.protocol), *table.foot(legend=True)[len(table.protocol) :]]


def _keys(table: Table) -> list[str]:
    """The key of the publication of each row, empty where none is known."""
    from istsbench.tables.references import of_method  # every method is imported for it

    frame = table.frame
    specs = frame["method"] if "method" in frame else [""] * len(frame)
    found = [of_method(str(spec)) for spec in specs]
    ours = frame["status"] != "published"
    return [one.key if one and own else "" for one, own in zip(found, ours, strict=True)]


def references(table: Table) -> str:
    """A .bib file of what `table_tex` cites for the rows of a table."""
    from istsbench.tables.references import bibliography, of_method

    if "method" not in table.frame:
        return bibliography([])
    cited = zip(table.frame["method"], _keys(table), strict=True)
    return bibliography(of_method(str(spec)) for spec, key in cited if key)


def _letters_needed(table: Table) -> list[str]:
    """A comment that names the letters which pdflatex refuses, if there are any."""
    text = "".join(
        [*table.frame["label"], _caption(table), *_notes(table), *(b for b, _ in table.blocks)]
    )
    rare = "".join(dict.fromkeys(sign for sign in escape(text) if sign > LATIN))
    return [f"% needs XeLaTeX or LuaLaTeX and a font that has {rare}"] if rare else []


def _characters(table: Table, cite: bool) -> int:
    """Characters of the widest line, with two for each gap between columns."""
    shorts = [short for _, columns in table.blocks for _, short in columns]
    lines = [["Method", *shorts], *table.cells(PLAIN)]
    cited = _CITED if cite else 0
    return cited + sum(2 + max(map(len, column)) for column in zip(*lines, strict=True))


def _head(table: Table) -> list[str]:
    """Lines of the head: data sets, then ours, paper and difference, then scores."""
    upper, lower = list[tuple[str, int]](), list[tuple[str, int]]()
    for block, columns in table.blocks:
        title, _, part = block.partition(", ")
        lower.append((part or "ours", len(columns)))
        if upper and upper[-1][0] == title:
            upper[-1] = (title, upper[-1][1] + len(columns))
        else:
            upper.append((title, len(columns)))
    levels = [upper] if any(title for title, _ in upper) else []
    levels += [lower] if any(part != "ours" for part, _ in lower) else []
    lines = []
    for level in levels:
        cells, rules, start = [""], [], 2
        for text, number_of in level:
            cells.append(rf"\multicolumn{{{number_of}}}{{c}}{{{escape(text)}}}")
            rules.append(rf"\cmidrule(lr){{{start}-{start + number_of - 1}}}")
            start += number_of
        lines += [" & ".join(cells) + r" \\", "".join(rules)]
    shorts = [
        escape(short).replace("1e-6", "$10^{-6}$")
        for _, columns in table.blocks
        for _, short in columns
    ]
    return [*lines, " & ".join(["Method", *shorts]) + r" \\"]


def document(*parts: str) -> str:
    """A document of its own around tables and text, to look at them."""
    return "\n".join(
        [
            "% made, with its references, by: latexmk -pdf preview.tex (or: tectonic preview.tex)",
            r"\documentclass[10pt]{article}",
            r"\usepackage[a4paper,margin=1.5cm]{geometry}",
            r"\usepackage{booktabs,graphicx}",
            r"\begin{document}",
            *parts,
            r"\end{document}",
            "",
        ]
    )


def letters(text: str) -> str:
    """Letters only, each word capitalised: `tophat(size=7)` is TophatSizeSeven."""
    words = re.findall(r"[A-Za-z]+|\d", text)
    return "".join(_NUMBERS[int(w)] if w.isdigit() else w[0].upper() + w[1:] for w in words)


def macro_name(dataset: str, method: str, score: str) -> str:
    """`macro_name("nuaa", "ipi", "f1")` is istsNuaaIpiFone."""
    spelt = re.sub(
        r"\d+", lambda digits: "".join(_NUMBERS[int(d)] for d in digits[0]).lower(), score
    )
    return "ists" + letters(dataset) + letters(method) + letters(spelt)


def macros(table: Table, ending: str = "") -> dict[str, str]:
    """Macro name -> the number as the table prints it; empty cells have none.

    A row is called by its spec, one of a user's own function or class by its label. `ending` tells
    apart the numbers of a second table. Where two names would be the same although their cells
    are not, each gets a few more letters that depend only on its cell.
    """
    wanted: list[tuple[str, str, str]] = []
    for row, record in table.frame.iterrows():
        if record["status"] == "published":
            continue
        method, label = str(record.get("method") or record["label"]), str(record["label"])
        called = label if is_unregistered(method) and letters(label) else method
        for column in table.numbers():
            text = table.printed(row, column)
            if text:
                dataset, score = _split(table.column(column))
                if table.name != "table_vi":
                    dataset = f"{table.name}_{dataset}"
                name = macro_name(dataset, called, score) + letters(ending)
                wanted.append((name, f"{method}\0{column}", number(text)))
    names = [name for name, _, _ in wanted]
    found = {}
    for name, cell, text in wanted:
        found[name if names.count(name) == 1 else name + _tail(cell)] = text
    return found


def macro_units(table: Table) -> list[str]:
    """A line for each shown score that is written in a unit of its own: how its macros end."""
    scores = dict.fromkeys(table.column(name).score for name in table.numbers())
    units = {name: score_named(name) for name in scores}
    return [
        f"...{macro_name('', '', name).removeprefix('ists')} is {one.head}"
        for name, one in units.items()
        if one.unit != 1
    ]


def _split(column: Column) -> tuple[str, str]:
    """Data set and score; names in the paper's other tables begin with the data set."""
    score = replace(column, dataset="").name
    if column.dataset:
        return column.dataset, score
    first, _, rest = score.partition("_")
    return (first, rest) if first in PAPER_SETS else ("", score)


def _tail(cell: str) -> str:
    digest = hashlib.sha256(cell.encode()).hexdigest()[:6]
    return "X" + "".join(chr(ord("a") + int(digit, 16)) for digit in digest)


def macro_file(values: Mapping[str, str], notes: Sequence[str] = ()) -> str:
    """The macros as a file to \\input."""
    lines = [f"% {note}" for note in notes]
    lines += [rf"\newcommand{{\{name}}}{{{text}}}" for name, text in values.items()]
    return "\n".join([*lines, ""])
