"""Tables and numbers as LaTeX: booktabs rules, and a macro for every number.

The text needs `booktabs`, and `graphicx` where a table is wider than a page.
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

if TYPE_CHECKING:
    from istsbench.tables.table import Table

_SMALL, SHRUNK = 100, 140  # characters: more do not fit a page's width in \small, in \scriptsize
LATIN = "\u017f"  # the last letter that pdflatex can be counted on to set
SHRINK = r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{"
_NUMBERS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


def number(text: str) -> str:
    """A printed number with a true minus or plus sign."""
    return re.sub(r"(?<![\w.])([+-])(?=\d)", r"$\1$", text)


def table_tex(table: Table) -> str:
    """A `table*` float, shrunk to the width of the text where it would be wider."""
    width = sum(len(columns) for _, columns in table.blocks)
    body = []
    for heading, rows in table.sections(LATEX, number):
        if heading:
            body += [r"\midrule", rf"\multicolumn{{{width + 1}}}{{l}}{{{escape(heading)}}} \\"]
        body += [" & ".join(row) + r" \\" for row in rows]
    notes = r" \par ".join(escape(note) for note in table.foot(legend=True))
    characters = _characters(table)
    wide, shrunk = characters > _SMALL, characters > SHRUNK
    small = [r"\scriptsize", r"\setlength{\tabcolsep}{2pt}"] if wide else [r"\small"]
    return "\n".join(
        [
            rf"% needs \usepackage{{{'booktabs,graphicx' if shrunk else 'booktabs'}}}",
            *_letters_needed(table),
            r"\begin{table*}",
            r"\centering",
            rf"\caption{{{escape(table.title)}}}",
            *small,
            (SHRINK if shrunk else "") + rf"\begin{{tabular}}{{l*{{{width}}}{{r}}}}",
            r"\toprule",
            *_head(table),
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}" + ("}" if shrunk else ""),
            r"\\[1ex]\parbox{\textwidth}{\footnotesize\raggedright " + notes + "}",
            r"\end{table*}",
            "",
        ]
    )


def _letters_needed(table: Table) -> list[str]:
    """A comment that names the letters which pdflatex refuses, if there are any."""
    text = "".join(
        [*table.frame["label"], table.title, *table.foot(), *(b for b, _ in table.blocks)]
    )
    rare = "".join(dict.fromkeys(sign for sign in escape(text) if sign > LATIN))
    return [f"% needs XeLaTeX or LuaLaTeX and a font that has {rare}"] if rare else []


def _characters(table: Table) -> int:
    """Characters of the widest line, with two for each gap between columns."""
    shorts = [short for _, columns in table.blocks for _, short in columns]
    lines = [["Method", *shorts], *table.cells(PLAIN)]
    return sum(2 + max(map(len, column)) for column in zip(*lines, strict=True))


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
    levels = [upper, lower] if any(part != "ours" for part, _ in lower) else [upper]
    lines = []
    for level in levels:
        cells, rules, start = [""], [], 2
        for text, number_of in level:
            cells.append(rf"\multicolumn{{{number_of}}}{{c}}{{{escape(text)}}}")
            rules.append(rf"\cmidrule(lr){{{start}-{start + number_of - 1}}}")
            start += number_of
        lines += [" & ".join(cells) + r" \\", "".join(rules)]
    shorts = [escape(short) for _, columns in table.blocks for _, short in columns]
    return [*lines, " & ".join(["Method", *shorts]) + r" \\"]


def document(*parts: str) -> str:
    """A document of its own around tables and text, to look at them."""
    return "\n".join(
        [
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

    `ending` tells apart the numbers of a second table. Where two names would be the same
    although their cells are not, each gets a few more letters that depend only on its cell.
    """
    wanted: list[tuple[str, str, str]] = []
    for row, record in table.frame.iterrows():
        if record["status"] == "published":
            continue
        method = str(record.get("method") or record["label"])
        for column in table.numbers():
            text = table.printed(row, column)
            if text:
                dataset, score = _split(table.column(column))
                if table.name != "table_vi":
                    dataset = f"{table.name}_{dataset}"
                name = macro_name(dataset, method, score) + letters(ending)
                wanted.append((name, f"{method}\0{column}", number(text)))
    names = [name for name, _, _ in wanted]
    found = {}
    for name, cell, text in wanted:
        found[name if names.count(name) == 1 else name + _tail(cell)] = text
    return found


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
