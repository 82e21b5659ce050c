"""Result folders to the paper's Table VI, as a frame, CSV, Markdown and LaTeX.

A table states its protocol in one line: rule, reduction, split and its hash, size at
which scores were counted, version. Best, second and third are marked per column. A cell
is blank unless every image was counted. Beside our numbers stand those that the paper
prints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import pandas as pd

from istsbench import __version__
from istsbench.maps import write_atomic
from istsbench.metrics import RATIOS
from istsbench.results import ProtocolMix, Results

HEADS = {"precision": "P", "recall": "R", "f1": "F1", "iou": "IoU"}
PAPER_SETS = {"nuaa": "nuaa", "nust": "nust", "nust-paper": "nust"}
MARKDOWN = ("**{}**", "<u>{}</u>", "*{}*")
LATEX = (r"\textbf{{{}}}", r"\underline{{{}}}", r"\textit{{{}}}")
RECONSTRUCTION = "†"


@cache
def paper_table(name: str = "table_vi") -> pd.DataFrame:
    """A table of the paper as data, as printed there."""
    with files("istsbench").joinpath(f"paper/{name}.csv").open() as file:
        return pd.read_csv(file)


def _paper(dataset: str) -> pd.DataFrame:
    """The paper's Table VI for one data set: index label, columns as `RATIOS`."""
    frame = paper_table()
    frame = frame[frame["dataset"] == PAPER_SETS.get(dataset)]
    return frame.pivot(index="label", columns="metric", values="value").reindex(
        columns=list(RATIOS)
    )


@dataclass(frozen=True)
class Table:
    """A table ready to be written; `frame` has one row a method and flat column names."""

    title: str
    frame: pd.DataFrame
    blocks: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]  # head -> (column, short head)
    protocol: tuple[str, ...]
    notes: tuple[str, ...]

    def marks(self) -> dict[tuple[int, str], int]:
        """(row, column) -> 0, 1, 2 for best, second and third of our own columns."""
        found = {}
        for _, columns in self.blocks:
            for column, _ in columns:
                if column.endswith("_paper"):
                    continue
                rounded = self.frame[column].astype(float).round(3)
                for row, place in (rounded.rank(method="min", ascending=False) - 1).items():
                    if place <= 2 and rounded[row] > 0:
                        found[row, column] = int(place)
        return found

    def cells(self, mark: Sequence[str], escape: Callable[[str], str]) -> list[list[str]]:
        """The body as text: label and printed numbers, marked."""
        marks, lines = self.marks(), []
        for row, record in self.frame.iterrows():
            label = str(record["label"])
            if record["status"] == "reconstruction":
                label += RECONSTRUCTION
            line = [escape(label)]
            for _, columns in self.blocks:
                for column, _ in columns:
                    text = _printed(record[column], column)
                    place = marks.get((row, column))  # type: ignore[call-overload]
                    line.append(text if place is None or not text else mark[place].format(text))
            lines.append(line)
        return lines

    def csv(self) -> str:
        head = "".join(f"# {line}\n" for line in (self.title, *self.protocol, *self.notes))
        return head + self.frame.to_csv(index=False, float_format="%.6g")

    def markdown(self) -> str:
        heads = ["Method"]
        for block, columns in self.blocks:
            heads += [f"{block} {short}" for _, short in columns]
        lines = [f"**{self.title}**", "", "| " + " | ".join(heads) + " |"]
        lines.append("|---|" + "---:|" * (len(heads) - 1))
        lines += ["| " + " | ".join(line) + " |" for line in self.cells(MARKDOWN, _plain)]
        notes = [f"- {note}" for note in (*self.protocol, *self.notes)]
        return "\n".join([*lines, "", *notes, ""])

    def latex(self) -> str:
        """A `table*` with booktabs rules; needs no other package."""
        width = sum(len(columns) for _, columns in self.blocks)
        over, under, rules, start = [""], ["Method"], [], 2
        for block, columns in self.blocks:
            end = start + len(columns) - 1
            over.append(rf"\multicolumn{{{len(columns)}}}{{c}}{{{_tex(block)}}}")
            rules.append(rf"\cmidrule(lr){{{start}-{end}}}")
            under += [_tex(short) for _, short in columns]
            start = end + 1
        body = [" & ".join(line) + r" \\" for line in self.cells(LATEX, _tex)]
        notes = r" \\ ".join(_tex(note) for note in (*self.protocol, *self.notes))
        return "\n".join(
            [
                r"% needs \usepackage{booktabs}",
                r"\begin{table*}",
                r"\centering",
                rf"\caption{{{_tex(self.title)}}}",
                rf"\begin{{tabular}}{{l*{{{width}}}{{r}}}}",
                r"\toprule",
                " & ".join(over) + r" \\",
                "".join(rules),
                " & ".join(under) + r" \\",
                r"\midrule",
                *body,
                r"\bottomrule",
                r"\end{tabular}",
                r"\\[1ex]\parbox{\textwidth}{\footnotesize " + notes + "}",
                r"\end{table*}",
                "",
            ]
        )

    def write(self, folder: Path, name: str = "table_vi") -> list[Path]:
        """Write NAME.csv, NAME.md and NAME.tex; returns their paths."""
        texts = {"csv": self.csv(), "md": self.markdown(), "tex": self.latex()}
        paths = [folder / f"{name}.{kind}" for kind in texts]
        for path, text in zip(paths, texts.values(), strict=True):
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                write_atomic(path, text.encode())
        return paths


def _printed(value: object, column: str) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    return f"{value:.2f}" if column.endswith("_paper") else f"{value:.3f}"


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _tex(text: str) -> str:
    swaps = {"\\": r"\textbackslash{}", "†": r"$^\dagger$", ">": "$>$", "<": "$<$", "±": r"$\pm$"}
    swaps |= {sign: f"\\{sign}" for sign in "&%$#_{}"}
    swaps |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(swaps.get(sign, sign) for sign in text)


def table_vi(sets: Sequence[Results], rule: str = "own", reduction: str = "image") -> Table:
    """The paper's Table VI from one or more results folders, data sets side by side.

    Raises `ProtocolMix` if a method was not counted under the rule.
    """
    frame, blocks, protocol, notes = None, [], [], []
    for results in sets:
        for spec, record in results.records.items():
            if "wanted" in record and rule not in record["wanted"]:
                raise ProtocolMix(
                    f"{results.folder}: {spec} was counted under {', '.join(record['wanted'])}, "
                    f"not under {rule!r}; rerun with --rules {rule}"
                )
        dataset = results.any_record["dataset"]
        part = results.summary(rule, reduction)
        part = part.join(_paper(dataset).add_suffix("_paper"), on="label")
        part = part.drop(columns=["average_precision"])
        names = {
            column: f"{column}_{dataset}" if not column.endswith("_paper") else
            f"{column.removesuffix('_paper')}_{dataset}_paper"
            for column in part.columns if column not in KEYS
        }  # fmt: skip
        part = part.rename(columns=names)
        frame = part if frame is None else _beside(frame, part)
        title = results.any_record["title"]
        for source, suffix in ((title, ""), (f"{title}, paper", "_paper")):
            columns = tuple((f"{r}_{dataset}{suffix}", HEADS[r]) for r in RATIOS)
            if part[[column for column, _ in columns]].notna().any(axis=None):
                blocks.append((source, columns))
        protocol.append(_protocol(results, rule, reduction))
        notes += _notes(results, rule)
    assert frame is not None, "at least one results folder"
    if (frame["status"] == "reconstruction").any():
        notes.append(f"{RECONSTRUCTION} reconstructed: the source was not reachable.")
    title = f"Table VI, rule {rule}, {_REDUCED[reduction]}"
    return Table(title, frame, tuple(blocks), tuple(protocol), tuple(dict.fromkeys(notes)))


KEYS = ("method", "label", "group", "year", "status")
_REDUCED = {"image": "means over images", "pooled": "pooled over all pixels"}


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
        f"{record['data_hash']}), rule {rule}, {_REDUCED[reduction]}, native size, "
        f"0/0 = 0, istsbench {__version__}"
    )


def _notes(results: Results, rule: str) -> list[str]:
    notes = []
    if rule == "oracle":
        notes.append("Oracle thresholds are chosen on the test images: an upper bound.")
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
        grid.add_row(line["label"] + mark, *cells)
    terminal = Console(width=None if Console().is_terminal else 160)
    terminal.print(grid)
    for note in (_protocol(results, rule, reduction), *_notes(results, rule)):
        terminal.print(note, soft_wrap=True, highlight=False, markup=False)
