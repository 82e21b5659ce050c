"""The audit of the collected rows as a page in Markdown."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from html import unescape
from pathlib import Path

from istsbench.files import write_atomic
from istsbench.tables.audit import VERDICTS, Audited, frame
from istsbench.tables.flags import fitting, says_nothing, unknown_total
from istsbench.tables.grid import chance, counts
from istsbench.tables.markup import markdown
from istsbench.tables.ours import Ours
from istsbench.tables.testlists import known_lists, list_named, lists_of

_HOW = """\
Each row that a paper or repository prints is asked one question: can these numbers be counts
over the test list that its table states? A Pd is a number of targets over all targets of a
list, so that its digits tell the list: 98.17 is 107 of 109, and no share of 263. Prints count
as rounded or cut off; tables do both.

- **fits**: the Pd is a share of the targets of the stated list or, if none is stated, of a
  known list of the data set.
- **fits another split**: it is none of the stated list's, but one of another known list's.
- **impossible**: not the counts of one run over the stated list: a Pd of no known list, a Pd
  below one target, an F1 and an IoU that no masks have together (by more than one point), or
  IoU, Pd and Fa that more rows print under another data set.
- **cannot tell**: no Pd is printed, it fits anything (100 %), no list is stated and none fits,
  or no list of the data set is known.

Flags (cut-off digits, Fa that is no whole number of pixels, mixed splits, twins with another
IoU, F1 beside IoU) are reasons to ask and decide nothing by themselves.
"""

_WRONG = """\
A verdict is about digits, not about anybody's work, and it can be wrong both ways.

- **Fits by chance.** The table below has the share of random numbers that fit a list, rounded
  or cut off. So `fits` says much for 109 targets and two decimals, and little for 945. (With
  rounding up allowed as well, 945 is hit by 19 % and 109 by 2 % of numbers with two decimals.)
- **Impossible, yet honest.** A mean over several runs, or over images instead of targets, a
  best value of each column, a list that is not known here (a re-split, images left out), masks
  shrunk or repaired so that targets merge, targets counted by 4-connectivity, digits lost twice
  on the way from table to table, or a misprint.
- **A row taken over.** Many rows are prints of other tables' prints. {reprints} rows are judged
  by the longer digits of the table they agree with; if it was the other way round, so is the
  verdict.
- **The reading.** Of {rows} rows, {read} were compared entry by entry with their source; the
  others come from one reading of it, so that a misprint may be ours.
- **Sizes and rules.** The side at which masks were scored and the rule for Fa are as the
  sources state them or their code shows; where a table took rows over, they differ by row.
"""


def audit_page(audited: Sequence[Audited], ours: Ours, *, rows: bool = True) -> str:
    """The whole audit; without `rows`, the list of all rows is left out."""
    made = "Made by `istsbench audit --to results/audit.md`; `audit.csv` beside it has every row "
    parts = [
        "# Published rows, held to the lists they state",
        (f"{made}with all its flags. " if rows else "")
        + "Numbers in percent, Fa in units of 1e-6, as printed.",
        _HOW.rstrip(),
        "## Counts",
        _verdicts("data set", audited, lambda one: one.row.dataset),
        _verdicts("source", audited, lambda one: one.row.source.name),
        _verdicts("kind", audited, lambda one: one.row.kind),
        "## Which lists a table's rows fit",
        "Rows whose Pd says something, by table and data set: how many fit each number of targets "
        "(a row may fit several), how many fit none, and the least number that would explain "
        "nearly all of them where no known one does.",
        _by_list(audited),
        "## What is doubtful",
        *_doubts(audited),
        "## Classical methods: how far sources differ",
        _spread(audited),
        "## Classical methods beside our maps",
        *_beside(audited, ours),
        "## How a verdict can be wrong",
        *_how_wrong(audited),
    ]
    if rows:
        parts += ["## Every row", *_all(audited)]
    return "\n\n".join(parts) + "\n"


def for_terminal(page: str) -> str:
    """A page of Markdown as it is read by eye: `idx_427`, not `idx\\_427`."""
    return unescape(re.sub(r"\\([\\|*_`\[\]~])", r"\1", page))


def write_audit(audited: Sequence[Audited], ours: Ours, path: Path) -> list[Path]:
    """Write the page, and the rows as a CSV file beside it; returns both paths."""
    table = path.with_suffix(".csv")
    write_atomic(path, audit_page(audited, ours).encode())
    write_atomic(table, frame(audited).to_csv(index=False).encode())
    return [path, table]


def _grid(head: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """A table; the first column to the left, numbers to the right."""
    body = ["| " + " | ".join(markdown(str(cell)) for cell in line) + " |" for line in lines]
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *body])


def _verdicts(what: str, audited: Sequence[Audited], key: Callable[[Audited], str]) -> str:
    groups: dict[str, list[Audited]] = defaultdict(list)
    for one in audited:
        groups[key(one)].append(one)
    parts = sorted(groups.items(), key=lambda part: -len(part[1]))
    if len(parts) > 1:
        parts.append(("all", list(audited)))
    lines = [(name, len(found), *tally(found).values()) for name, found in parts]
    return _grid((what, "rows", *VERDICTS), lines)


def _by_list(audited: Sequence[Audited]) -> str:
    groups: dict[tuple[str, str], list[Audited]] = defaultdict(list)
    for one in audited:
        lists = lists_of(one.row.dataset)
        if lists and one.row.scores["pd"] and not says_nothing(one.row.scores["pd"], lists):
            groups[one.row.source.name, one.row.dataset].append(one)
    lines = []
    for (source, dataset), found in groups.items():
        texts = [one.row.scores["pd"] for one in found]
        totals = [n for one in lists_of(dataset) for n in one.targets]
        fit = {n: sum(bool(counts(text, n)) for text in texts) for n in totals}
        none = sum(not fitting(text, lists_of(dataset)) for text in texts)
        told = ", ".join(f"{n}: {many}" for n, many in fit.items() if many)
        stated = ", ".join(dict.fromkeys(one.row.stated for one in found if one.row.stated))
        other = unknown_total(texts) if max(fit.values()) < 0.8 * len(texts) else None
        lines.append((source, dataset, len(texts), stated or "-", told or "-", none, other or ""))
    return _grid(
        ("source", "data set", "rows", "stated", "targets: rows", "none", "would fit"), lines
    )


_DOUBTS = {  # checks of flags -> title, and whether each row is told by itself
    ("mixed splits",): ("Mixed splits in one table", False),
    ("mixed sizes",): ("Masks read at several sizes in one table", False),
    ("another IoU",): ("Equal Pd and Fa, another IoU", True),
    ("two data sets",): ("One triple under two data sets", True),
    ("below one target",): ("Pd below one target", True),
    ("pooled iou", "iou < f1/(2-f1)", "iou > f1"): ("F1 and IoU that one mask cannot have", True),
    ("no whole pixels",): ("Fa that is no whole number of pixels", False),
}


def _doubts(audited: Sequence[Audited]) -> Iterable[str]:
    for checks, (title, each) in _DOUBTS.items():
        found = []
        for one in audited:
            flags = [flag for check in checks for flag in one.flags if flag.check == check]
            if flags:
                found.append((one, flags[0]))
        if not found:
            continue
        if each:
            lines = [
                f"{one.row.source.name}, {one.row.method}, {one.row.dataset}: {flag}"
                for one, flag in found
            ]
        else:
            tables = Counter(
                (one.row.source.name, one.row.dataset, flag.text if "mixed" in flag.check else "")
                for one, flag in found
            )
            lines = [
                f"{source}, {dataset}, {n} row{'s' if n > 1 else ''}{f': {text}' if text else ''}"
                for (source, dataset, text), n in tables.items()
            ]
        yield f"### {title} ({len(found)} row{'s' if len(found) > 1 else ''})"
        yield "\n".join(f"- {markdown(line)}" for line in lines)


def _spread(audited: Sequence[Audited]) -> str:
    """The least and the largest IoU of a classical method among sources, by data set."""
    groups: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    for one in audited:
        if one.row.kind == "classical" and one.row.scores["iou"]:
            value = float(one.row.scores["iou"]), one.row.source.name
            groups[one.row.dataset, one.row.method].append(value)
    lines = []
    for (dataset, method), found in groups.items():
        low, high = min(found), max(found)
        if len({source for _, source in found}) > 1 and low[0]:
            lines.append((dataset, method, len(found), low, high, high[0] / low[0]))
    lines.sort(key=lambda line: -line[-1])
    shown = [
        (d, m, n, f"{low[0]:g} ({low[1]})", f"{high[0]:g} ({high[1]})", f"{times:.1f}")
        for d, m, n, low, high, times in lines
    ]
    head = ("data set", "method", "rows", "least IoU", "largest IoU", "times")
    return _grid(head, shown) if shown else "No classical method has two sources here."


def _beside(audited: Sequence[Audited], ours: Ours) -> Iterable[str]:
    yield ours.told
    lines = []
    for one in audited:
        if one.row.kind == "classical" and (mine := ours.of(one.row)):
            scores = [
                f"{one.row.scores[score] or '-'} / {_number(mine.scores[score], digits)}"
                for score, digits in (("iou", 2), ("f1", 2), ("pd", 2), ("fa", 1))
            ]
            about = (one.row.method, one.row.dataset, one.row.source.name, one.row.stated or "-")
            lines.append((*about, *scores, mine.under, one.verdict))
    if lines:
        lines.sort(key=lambda line: (line[1], line[0].lower()))
        heads = ("method", "data set", "source", "list", "IoU", "F1", "Pd", "Fa", "ours", "verdict")
        yield _grid(heads, lines)


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _how_wrong(audited: Sequence[Audited]) -> Iterable[str]:
    yield _WRONG.format(
        reprints=sum(one.reprint_of is not None for one in audited),
        rows=len(audited),
        read=sum(one.row.read for one in audited),
    ).rstrip()
    shown = {one.row.dataset for one in audited}
    lines = [
        (one.dataset, one.name, n, *(f"{100 * chance(n, digits):.1f} %" for digits in (1, 2, 3)))
        for one in known_lists().values()
        if one.role == "test" and one.dataset in shown
        for n in one.targets
    ]
    yield _grid(("data set", "list", "targets", "1 decimal", "2 decimals", "3 decimals"), lines)


def _all(audited: Sequence[Audited]) -> Iterable[str]:
    sets: dict[str, list[Audited]] = defaultdict(list)
    for one in audited:
        sets[one.row.dataset].append(one)
    heads = ("source", "method", "stated list", "IoU", "F1", "Pd", "Fa", "verdict", "why")
    for dataset, found in sets.items():
        yield f"### {dataset}"
        lines = []
        for one in found:
            numbers = (one.row.scores[score] for score in ("iou", "f1", "pd", "fa"))
            stated = list_named(one.row.stated).title if one.row.stated else one.row.split
            why = one.reason
            if one.reprint_of:
                why += f"; print of {one.reprint_of.source.name}"
            lines.append((one.row.source.name, one.row.method, stated, *numbers, one.verdict, why))
        yield _grid(heads, lines)


def tally(audited: Iterable[Audited]) -> dict[str, int]:
    """Verdict -> the number of rows with it."""
    counted = Counter(one.verdict for one in audited)
    return {verdict: counted[verdict] for verdict in VERDICTS}
