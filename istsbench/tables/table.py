"""A table as a frame, and as CSV, Markdown, LaTeX and HTML text.

Best, second and third are marked per column, as printed. What a table states of its protocol
stands in lines below it, in every format.
"""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from rich.cells import cell_len, set_cell_size

from istsbench.files import write_atomic
from istsbench.results.shipped import SHIPPED
from istsbench.results.trained import FOREIGN
from istsbench.tables import latex
from istsbench.tables.columns import Column
from istsbench.tables.glossary import POINTER
from istsbench.tables.markup import (
    HTML,
    LEGEND,
    MARKDOWN,
    PLAIN,
    Markup,
    html,
    markdown,
    three_best,
)
from istsbench.tables.scores import score_named

RECONSTRUCTION = "†"
NOT_APART = "≈"
FEWER = (  # columns where less is better
    "params_M", "macs_G", "flops_G", "operations_G", "latency_ms", "latency_p95_ms", "memory_mib",
)  # fmt: skip
ELSEWHERE_HEAD = "Published elsewhere, under their own protocols"

Block = tuple[str, tuple[tuple[str, str], ...]]  # head -> (column, short head)


@dataclass(frozen=True)
class Table:
    """A table ready to be written; `frame` has one row a method and flat column names.

    `columns` tells what a column holds. Where names are without data sets of anyone's, it may
    be left out: the end of a name tells, as in `params_M_paper`.
    """

    title: str
    frame: pd.DataFrame
    blocks: tuple[Block, ...]
    protocol: tuple[str, ...]
    notes: tuple[str, ...]
    name: str = "table_vi"
    forms: Mapping[str, str] = field(default_factory=dict)  # column -> format, if not the usual
    columns: Mapping[str, Column] = field(default_factory=dict)  # by name
    of_scores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Notes on some scores, each with these; the CSV has them all, since it has all scores."""
    stamps: tuple[str, ...] = ()  # hashes and versions, for the CSV
    titles: Mapping[str, str] = field(default_factory=dict)  # data set -> how it is called
    places: Mapping[str, str] = field(default_factory=dict)  # data set -> title and images
    sentences: Mapping[str, str] = field(default_factory=dict)  # data set -> protocol, no hashes
    under: str = ""  # rule and reduction, for a caption
    label: str = ""  # what tells it from other tables of its name, in LaTeX

    def column(self, name: str) -> Column:
        """What the column of that name holds."""
        return self.columns.get(name) or Column.read(name)

    def marks(self) -> dict[tuple[int, str], int]:
        """(row, column) -> 0, 1, 2 for best, second and third, as printed, of our columns."""
        found = {}
        ours = self.frame.index[self.frame["status"] != "published"]
        for column in self._shown():
            held = self.column(column)
            if held.kind or not score_named(held.score).merit:
                continue
            texts = {row: self.printed(row, column) for row in ours}
            values = pd.Series({row: float(text or "nan") for row, text in texts.items()})
            for row, place in three_best(values, self._fewer(column)).items():
                found[row, column] = place
        return found

    def best_of_some(self) -> list[str]:
        """A note on each column whose marks are among a part of the rows that have numbers."""
        marked = {column for _, column in self.marks()}
        ours = self.frame[self.frame["status"] != "published"]
        found = []
        for _, columns in self.blocks:
            own = [name for name, _ in columns if not self.column(name).kind]
            rows = int(ours[own].notna().any(axis=1).sum())
            for name, head in columns:
                having = int(ours[name].notna().sum())
                if having < rows and name in marked:
                    title = self.titles.get(self.column(name).dataset, "")
                    where = f"{head} on {title}" if len(self.titles) > 1 else head
                    found.append(f"{where}: best of the {having} of {rows} rows that have it.")
        return found

    def _fewer(self, name: str) -> bool:
        """Whether less is better in a column."""
        return name in FEWER or score_named(self.column(name).score).fewer

    def _shown(self) -> list[str]:
        return [column for _, columns in self.blocks for column, _ in columns]

    def numbers(self) -> list[str]:
        """Every column of numbers that the table prints, intervals and deviations included."""
        kinds = ("low", "high", "sd")
        others = [self._other(column, kind) for column in self._shown() for kind in kinds]
        return self._shown() + [column for column in others if column]

    def _other(self, name: str, kind: str) -> str:
        """What belongs to one of our numbers, by its kind; empty if there is none.

        The paper's numbers are fixed: they have no interval and no deviation, and those of ours
        are not those of the difference.
        """
        if self.column(name).kind:
            return ""
        other = replace(self.column(name), kind=kind)
        there = other.name in self.frame and self.column(other.name) == other
        return other.name if there else ""

    def printed(self, row: Any, column: str) -> str:
        """A number as text, empty if there is none, or no such column."""
        value = self.frame.loc[row, column] if column else None
        if pd.isna(value):
            return ""
        found = self.column(column)
        form = {"paper": ".2f", "diff": "+z.2f"}.get(found.kind, ".3f")
        if found.kind in ("sd", "low", "high"):  # in the digits of what it belongs to
            form = self.forms.get(replace(found, kind="").name, form)
        value = score_named(found.score).printed(value, found.kind)
        return format(value, self.forms.get(column, form))

    def cells(self, markup: Markup, number: Callable[[str], str] = str) -> list[list[str]]:
        """The body as text: label and printed numbers, marked."""
        marks, lines = self.marks(), []
        for row, record in enumerate(self.frame.to_dict("records")):
            line = [markup.escape(str(record["label"]) + self.signs(record))]
            for column in self._shown():
                text = number(self.printed(row, column))
                place = marks.get((row, column))
                if place is not None and text:
                    text = markup.marks[place].format(text)
                low, high, spread = (
                    self.printed(row, self._other(column, kind)) for kind in ("low", "high", "sd")
                )
                if text and spread:
                    text += f" {markup.escape('±')} {spread}"
                if text and record.get(self._other(column, "alike")) is True:
                    text += markup.escape(NOT_APART)
                if text and low:
                    text += f" [{low}, {high}]"
                line.append(text)
            lines.append(line)
        return lines

    def signs(self, record: Mapping[Any, Any]) -> str:
        """What follows the label of a row, and is explained in the notes."""
        signs = RECONSTRUCTION if record["status"] == "reconstruction" else ""
        told = {column: self.column(str(column)).score for column in record}
        if any(record[column] is True for column, score in told.items() if score == "foreign"):
            signs += FOREIGN
        origins = [record[column] for column, score in told.items() if score == "origin"]
        if any(isinstance(origin, str) and origin for origin in origins):
            signs += SHIPPED
        return signs

    def sections(
        self, markup: Markup, number: Callable[[str], str] = str
    ) -> list[tuple[str, list[list[str]]]]:
        """The body in parts, each with its heading: ours without one, others' numbers."""
        lines = self.cells(markup, number)
        elsewhere = list(self.frame["status"] == "published")
        split = elsewhere.index(True) if True in elsewhere else len(lines)
        parts = [("", lines[:split]), (ELSEWHERE_HEAD, lines[split:])]
        return [part for part in parts if part[1]]

    def foot(self, legend: bool = False) -> tuple[str, ...]:
        """The lines below the body: protocol, notes, and what the marks mean."""
        told = (LEGEND, *self.best_of_some()) if legend and self.marks() else ()
        lines = (*self.protocol, *self.notes, *told)
        return tuple(" ".join(line.split()) for line in lines)

    def csv(self) -> str:
        """Lines of # and then the frame. A cell with a # is quoted, so that no reader that skips
        what follows a # cuts its line."""
        texts = self.frame.select_dtypes(exclude="number").to_numpy(str)
        doubtful = any("#" in cell for cell in texts.flat)
        quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if doubtful else csv.QUOTE_MINIMAL
        others = (note for note in self.of_scores if note not in self.notes)
        head = "".join(f"# {line}\n" for line in (self.title, *self.foot(), *self.stamps, *others))
        frame = self.frame.copy()
        for name in map(str, frame):
            if score_named(self.column(name).score).lacking:  # six digits would make it 1
                frame[name] = frame[name].map("{:.12g}".format, na_action="ignore")
        return head + frame.to_csv(index=False, float_format="%.6g", quoting=quoting)

    def markdown(self) -> str:
        heads = ["Method"]
        for block, columns in self.blocks:
            heads += [markdown(f"{block} {short}".strip()) for _, short in columns]
        lines = [f"**{markdown(self.title)}**", "", "| " + " | ".join(heads) + " |"]
        lines.append("|---|" + "---:|" * (len(heads) - 1))
        for heading, rows in self.sections(MARKDOWN):
            if heading:
                lines.append(f"| *{heading}* |" + " |" * (len(heads) - 1))
            lines += ["| " + " | ".join(row) + " |" for row in rows]
        notes = [f"- {markdown(note)}" for note in (*self.foot(legend=True), POINTER)]
        return "\n".join([*lines, "", *notes, ""])

    def plain(self) -> str:
        """Aligned text for a terminal: a line a row, never cut; no marks of the best."""
        upper, lower = [""], ["Method"]
        for block, columns in self.blocks:
            upper += [block, *[""] * (len(columns) - 1)]
            lower += [short for _, short in columns]
        parts = self.sections(PLAIN)
        lines = [lower, *(row for _, rows in parts for row in rows)]
        widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]

        def line(cells: Sequence[str]) -> str:
            label, *numbers = (
                " " * (width - cell_len(cell)) + cell if place else set_cell_size(cell, width)
                for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
            )
            return "  ".join([label, *numbers]).rstrip()

        head = [line(lower)]
        if any(upper):  # the name of a data set stands over the first of its columns
            starts = [sum(widths[:place]) + 2 * place for place in range(len(widths))]
            over = ""
            for start, block in zip(starts, upper, strict=True):
                if block:
                    over = over.ljust(start) + ("  " if len(over) >= start else "") + block
            head.insert(0, over)
        body = []
        for heading, rows in parts:
            body += [heading] if heading else []
            body += [line(row) for row in rows]
        foot = (*self.foot(), POINTER)
        notes = [textwrap.fill(note, 80, subsequent_indent="  ") for note in foot]
        return "\n".join([self.title, "", *head, *body, "", *notes, ""])

    def latex(self, cite: bool = False) -> str:
        """`table*` floats with booktabs rules; with `cite`, a \\cite beside each name."""
        return latex.table_tex(self, cite)

    def html(self) -> str:
        """A `<table>` with its caption and notes, to be put into a page."""
        over = "".join(
            f'<th colspan="{len(columns)}">{html(block)}</th>' for block, columns in self.blocks
        )
        under = "".join(
            f"<th>{html(short)}</th>" for _, columns in self.blocks for _, short in columns
        )
        body, width = [], 1 + len(self._shown())
        for heading, rows in self.sections(HTML):
            if heading:
                body.append(f'<tr><th colspan="{width}">{html(heading)}</th></tr>')
            for label, *numbers in rows:
                cells = "".join(f'<td align="right">{number}</td>' for number in numbers)
                body.append(f'<tr><th scope="row" align="left">{label}</th>{cells}</tr>')
        notes = "".join(f"<li>{html(note)}</li>" for note in (*self.foot(legend=True), POINTER))
        return "\n".join(
            [
                "<table>",
                f"<caption>{html(self.title)}</caption>",
                f'<thead><tr><th rowspan="2">Method</th>{over}</tr><tr>{under}</tr></thead>',
                "<tbody>",
                *body,
                "</tbody>",
                "</table>",
                f"<ul>{notes}</ul>",
                "",
            ]
        )

    def write(
        self, folder: Path, name: str | None = None, kinds: Sequence[str] = ("csv", "md", "tex")
    ) -> list[Path]:
        """Write NAME.csv, NAME.md, NAME.tex, NAME.html or some of them; returns their paths."""
        paths = []
        for kind in kinds:
            path, text = folder / f"{name or self.name}.{kind}", self.text(kind)
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                write_atomic(path, text.encode())
            paths.append(path)
        return paths

    def text(self, kind: str) -> str:
        """The table as csv, md, tex, html or text."""
        forms = {
            "csv": self.csv, "md": self.markdown, "tex": self.latex, "html": self.html,
            "text": self.plain,
        }  # fmt: skip
        return forms[kind]()
