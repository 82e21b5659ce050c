"""Result folders to the paper's tables, as a frame, CSV, Markdown, LaTeX and HTML.

A table states its protocol in one line: rule, reduction, split and its hash, size at
which scores were counted, version, and the protocol's id. Best, second and third are
marked per column. A cell is blank unless every image was counted. Beside our numbers
stand those that the paper prints, with the difference where wanted.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from istsbench import __version__
from istsbench.errors import DataError, ProtocolMix, WrongUse
from istsbench.files import write_atomic
from istsbench.metrics import HEADS, RATIOS
from istsbench.results import seeds
from istsbench.results.protocol import REDUCED, Protocol
from istsbench.results.results import Results
from istsbench.tables import latex
from istsbench.tables.columns import KEYS, Column, named
from istsbench.tables.published import PAPER_SETS, paper_scores, paper_table, with_published

__all__ = ["PAPER_SETS", "RECONSTRUCTION", "Table", "console", "paper_table", "table_vi"]

MARKDOWN = ("**{}**", "<u>{}</u>", "*{}*")
HTML = ("<b>{}</b>", "<u>{}</u>", "<i>{}</i>")
RECONSTRUCTION = "†"
ALIKE = "≈"
LEGEND = "Best, second and third of our numbers: bold, underlined, italic."
BESIDE = ("nothing", "paper", "difference")
SPREAD = ("f1", "iou")  # the scores that are given intervals
FEWER = (  # columns where less is better
    "params_M", "macs_G", "flops_G", "operations_G", "latency_ms", "latency_p95_ms", "memory_mib",
)  # fmt: skip
ELSEWHERE = ("none", "same", "all")  # others' rows: of the same methods, or all
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

    def column(self, name: str) -> Column:
        """What the column of that name holds."""
        return self.columns.get(name) or Column.read(name)

    def marks(self) -> dict[tuple[int, str], int]:
        """(row, column) -> 0, 1, 2 for best, second and third, as printed, of our columns."""
        found = {}
        ours = self.frame.index[self.frame["status"] != "published"]
        for column in self._shown():
            if self.column(column).kind:
                continue
            values = pd.Series([float(self.printed(row, column) or "nan") for row in ours])
            ranks = values.rank(method="min", ascending=column in FEWER)
            # The numbers of others stand last, so that positions in both frames agree.
            for row, (value, place) in enumerate(zip(values, ranks - 1, strict=True)):
                if place <= 2 and value > 0:
                    found[row, column] = int(place)
        return found

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
        form = {"paper": ".2f", "diff": "+z.2f"}.get(self.column(column).kind, ".3f")
        return format(value, self.forms.get(column, form))

    def cells(
        self, mark: Sequence[str], escape: Callable[[str], str], number: Callable[[str], str] = str
    ) -> list[list[str]]:
        """The body as text: label and printed numbers, marked."""
        marks, lines = self.marks(), []
        for row, record in enumerate(self.frame.to_dict("records")):
            label = str(record["label"])
            if record["status"] == "reconstruction":
                label += RECONSTRUCTION
            line = [escape(label)]
            for column in self._shown():
                text = number(self.printed(row, column))
                place = marks.get((row, column))
                if place is not None and text:
                    text = mark[place].format(text)
                low, high, spread = (
                    self.printed(row, self._other(column, kind)) for kind in ("low", "high", "sd")
                )
                if text and spread:
                    text += f" {escape('±')} {spread}"
                if text and record.get(self._other(column, "alike")) is True:
                    text += escape(ALIKE)
                if text and low:
                    text += f" [{low}, {high}]"
                line.append(text)
            lines.append(line)
        return lines

    def sections(
        self, mark: Sequence[str], escape: Callable[[str], str], number: Callable[[str], str] = str
    ) -> list[tuple[str, list[list[str]]]]:
        """The body in parts, each with its heading: ours without one, others' numbers."""
        lines = self.cells(mark, escape, number)
        elsewhere = list(self.frame["status"] == "published")
        split = elsewhere.index(True) if True in elsewhere else len(lines)
        parts = [("", lines[:split]), (ELSEWHERE_HEAD, lines[split:])]
        return [part for part in parts if part[1]]

    def foot(self, legend: bool = False) -> tuple[str, ...]:
        """The lines below the body: protocol, notes, and what the marks mean."""
        return (*self.protocol, *self.notes, *((LEGEND,) if legend and self.marks() else ()))

    def csv(self) -> str:
        head = "".join(f"# {line}\n" for line in (self.title, *self.foot()))
        return head + self.frame.to_csv(index=False, float_format="%.6g")

    def markdown(self) -> str:
        heads = ["Method"]
        for block, columns in self.blocks:
            heads += [f"{block} {short}".strip() for _, short in columns]
        lines = [f"**{self.title}**", "", "| " + " | ".join(heads) + " |"]
        lines.append("|---|" + "---:|" * (len(heads) - 1))
        for heading, rows in self.sections(MARKDOWN, _plain):
            if heading:
                lines.append(f"| *{heading}* |" + " |" * (len(heads) - 1))
            lines += ["| " + " | ".join(row) + " |" for row in rows]
        notes = [f"- {note}" for note in self.foot(legend=True)]
        return "\n".join([*lines, "", *notes, ""])

    def latex(self) -> str:
        """A `table*` with booktabs rules; a wide one needs graphicx as well."""
        return latex.table_tex(self)

    def html(self) -> str:
        """A `<table>` with its caption and notes, to be put into a page."""
        over = "".join(
            f'<th colspan="{len(columns)}">{html.escape(block)}</th>'
            for block, columns in self.blocks
        )
        under = "".join(
            f"<th>{html.escape(short)}</th>" for _, columns in self.blocks for _, short in columns
        )
        body, width = [], 1 + len(self._shown())
        for heading, rows in self.sections(HTML, html.escape):
            if heading:
                body.append(f'<tr><th colspan="{width}">{html.escape(heading)}</th></tr>')
            for label, *numbers in rows:
                cells = "".join(f'<td align="right">{number}</td>' for number in numbers)
                body.append(f'<tr><th scope="row" align="left">{label}</th>{cells}</tr>')
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.foot(legend=True))
        return "\n".join(
            [
                "<table>",
                f"<caption>{html.escape(self.title)}</caption>",
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
        """The table as csv, md, tex or html."""
        forms = {"csv": self.csv, "md": self.markdown, "tex": self.latex, "html": self.html}
        return forms[kind]()


def _plain(text: str) -> str:
    signs = {sign: f"\\{sign}" for sign in "\\|*_`[]~"} | {"<": "&lt;", "&": "&amp;"}
    return "".join(signs.get(sign, sign) for sign in " ".join(text.split()))


def table_vi(
    sets: Sequence[Results],
    rule: str = "own",
    reduction: str = "image",
    *,
    beside: str = "paper",
    elsewhere: str = "none",
    intervals: bool = False,
    over_seeds: bool = False,
) -> Table:
    """The paper's Table VI from one or more results folders, data sets side by side.

    `beside` is one of `BESIDE`: what stands next to our numbers. `elsewhere`, one of
    `ELSEWHERE`, adds what other papers print, below and with source and split.
    `intervals` adds 95 % bootstrap intervals and the mark of what is not distinguishable
    from the best. `over_seeds` gives one row, mean and standard deviation, in place of those
    that differ by the seed of their training alone.
    Raises `ProtocolMix` if a method was not counted under the rule, `DataError` if there are
    no such rows.
    """
    if beside not in BESIDE:
        raise WrongUse(f"beside is {beside!r}, expected one of {', '.join(BESIDE)}")
    if elsewhere not in ELSEWHERE:
        raise WrongUse(f"elsewhere is {elsewhere!r}, expected one of {', '.join(ELSEWHERE)}")
    if intervals and over_seeds:
        raise WrongUse("intervals are over images and of one training: not with means over seeds")
    frame, blocks, protocol, notes = None, [], [], []
    datasets = [results.any_record["dataset"] for results in sets]
    columns: dict[str, Column] = {}
    for results, dataset in zip(sets, datasets, strict=True):
        protocol.append(_protocol(results, rule, reduction))
        if datasets.count(dataset) > 1:
            raise ProtocolMix(f"{results.folder}: {dataset} would stand in this table twice")
        part = results.summary(rule, reduction)
        if over_seeds:
            part, found = seeds.averaged(part, results)
            notes += found
        part = part[[*KEYS, *(c for c in part if c not in (*KEYS, "average_precision"))]]
        paper = paper_scores(dataset)
        for score in RATIOS:
            printed = part["label"].map(paper[score]).astype(float)
            part[f"{score}_paper"] = printed
            if beside == "difference":
                part[f"{score}_diff"] = part[score].astype(float) - printed
        if intervals:
            part = _with_intervals(part, results, rule, reduction)
        part, held = named(part, dataset, datasets)
        columns |= held
        title = results.any_record["title"]
        wanted = [(title, "")]
        if beside != "nothing":
            wanted.append((f"{title}, paper", "paper"))
        if beside == "difference":
            wanted.append((f"{title}, difference", "diff"))
        for head, kind in wanted:
            mine = [c for c in held.values() if c.kind == kind and c.score in HEADS]
            if part[[c.name for c in mine]].notna().any(axis=None):
                blocks.append((head, tuple((c.name, HEADS[c.score]) for c in mine)))
        frame = part if frame is None else _beside(frame, part)
        notes += _notes(results, rule)
    assert frame is not None, "at least one results folder"
    if over_seeds and not frame.filter(regex="^seeds_").notna().any(axis=None):
        raise DataError(
            "no two rows differ by the seed of their training alone"
            + "".join(f"; {note}" for note in notes if "not averaged" in note)
        )
    if (frame["status"] == "reconstruction").any():
        notes.append(f"{RECONSTRUCTION} reconstructed: the source was not reachable.")
    if intervals:
        notes.append(
            "In brackets: 95 % bootstrap intervals of our number, over images. "
            f"{ALIKE} not distinguishable from the method with the best mean over images "
            "(Wilcoxon signed-rank tests on the scores of the images, Holm's correction, 5 %)."
        )
    if elsewhere != "none":
        frame, sources = with_published(frame, datasets, reduction, elsewhere == "same")
        notes += sources
    if over_seeds:
        frame = seeds.labelled(frame)
    title = f"Table VI, rule {rule}, {REDUCED[reduction]}"
    notes = list(dict.fromkeys(notes))
    return Table(title, frame, tuple(blocks), tuple(protocol), tuple(notes), columns=columns)


def _with_intervals(
    part: pd.DataFrame, results: Results, rule: str, reduction: str
) -> pd.DataFrame:
    from istsbench.results import intervals as uncertainty

    if not any(results.complete(spec, rule) for spec in results.records):
        return part
    for score in SPREAD:
        found = uncertainty.intervals(results, rule, score, reduction)
        compared = uncertainty.against_best(results, rule, score)
        alike = set(compared.index[1:][compared["alike"].iloc[1:]])  # the first is the best itself
        part[f"{score}_low"] = part["method"].map(found["low"])
        part[f"{score}_high"] = part["method"].map(found["high"])
        part[f"{score}_alike"] = part["method"].isin(alike)
    return part


def _beside(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    joined = left.merge(right, on=list(KEYS), how="outer", sort=False)
    joined["game"] = joined["group"] == "game"
    joined = joined.sort_values(["game", "year", "label"], kind="stable")
    return joined.drop(columns="game").reset_index(drop=True)


def _protocol(results: Results, rule: str, reduction: str) -> str:
    record = results.any_record
    limited = (
        f"first {record['images']} of {record['of']}"
        if record["images"] < record["of"]
        else (f"{record['images']}")
    )
    return (
        f"{record['title']}: split {record['split']} ({limited} images, hash "
        f"{record['data_hash']}), rule {rule}, {REDUCED[reduction]}, native size, "
        f"targets matched in raster order, 0/0 = 0, istsbench {__version__}, "
        f"protocol {Protocol.of(results, rule, reduction).id}"
    )


def _notes(results: Results, rule: str) -> list[str]:
    notes = []
    if rule == "oracle":
        notes.append(
            "Oracle thresholds are chosen on the test images, for the best pooled F1: not a result."
        )
    record = results.any_record
    notes += record.get("notes", [])
    if record["dataset"] == "nust":
        notes.append(
            "The paper's NUST-SIRST numbers are from its own 80/20 division, ours from the "
            "official 100 test images: they are not comparable row by row."
        )
    if record["dataset"] == "nust-paper":
        notes.append(
            "The paper's 80/20 division is not published; ours is drawn with a seed of its own."
        )
    notes += seeds.trained_on(results)
    for spec, one in results.records.items():
        failure = results.failure(spec)
        if failure:
            notes.append(f"{one['label']} ({one['title']}): {failure}")
    return notes


CONSOLE = (
    ("precision", "P", "{:.3f}"), ("recall", "R", "{:.3f}"), ("f1", "F1", "{:.3f}"),
    ("iou", "IoU", "{:.3f}"), ("niou", "nIoU", "{:.3f}"), ("pd", "Pd", "{:.3f}"),
    ("fa", "Fa 1e-6", "{:.1f}"), ("auc", "AUC", "{:.4f}"), ("seconds", "s/image", "{:.4f}"),
)  # fmt: skip


def console(results: Results, rule: str, reduction: str) -> None:
    """Print the main scores of a results folder on the terminal."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table as Grid

    frame = results.summary(rule, reduction)
    frame["fa"] *= 1e6
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    grid.add_column("method")
    for _, head, _ in CONSOLE:
        grid.add_column(head, justify="right")
    for _, line in frame.iterrows():
        mark = RECONSTRUCTION if line["status"] == "reconstruction" else ""
        cells = ["" if pd.isna(line[c]) else form.format(line[c]) for c, _, form in CONSOLE]
        grid.add_row(escape(str(line["label"])) + mark, *cells)
    terminal = Console(width=None if Console().is_terminal else 160)
    terminal.print(grid)
    for note in (_protocol(results, rule, reduction), *_notes(results, rule)):
        terminal.print(note, soft_wrap=True, highlight=False, markup=False)
