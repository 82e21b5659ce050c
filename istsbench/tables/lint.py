"""Rows of a results table that no segmentation can have produced.

Whatever a method did, its precision P, recall R, F1 and IoU over the same images obey

    pooled over pixels    F1 = 2PR/(P+R)     IoU = F1/(2-F1)
    means over images     F1 <= 2PR/(P+R)    F1/(2-F1) <= IoU <= F1, min(P, R)

(the second line because the harmonic mean is concave, F1/(2-F1) convex, and IoU is the
least of the four on each image, 0/0 = 0). What breaks the second line is impossible under
either reduction; what breaks the first alone is impossible only if the table says that it
is pooled. An nIoU is a mean over images whatever the rest is, so that it is held to the rest only
where the table says that this is as well.

Printed digits stand for an interval: half a unit of the last one on either side if they are
rounded, a whole unit above if the rest is cut off. A row is reported only if no values in its
intervals obey, read in the one way or in the other.

hIoU is loc x seg under any reduction. Pd and Fa are flagged, which is weaker: see `tables.flags`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from istsbench.errors import UnknownName, WrongUse
from istsbench.tables.flags import Flag, PrintedLine, row_flags, table_flags, told_by
from istsbench.tables.printed import PIXEL_SCORES, TITLES, PrintedRow, read_printed
from istsbench.tables.testlists import dataset_title, known_lists, list_named, lists_of

CLAIMS = ("unknown", "image", "pooled")
_SLACK = 1e-12  # for what floating point does to the ends of intervals
_LEAST = 1e-7  # half of an interval at least: single precision has no more digits

Spans = Mapping[str, tuple[float, float]]  # score -> least and greatest value


@dataclass(frozen=True)
class Impossible:
    """Why a row is impossible."""

    row: PrintedRow
    check: str
    text: str

    def __str__(self) -> str:
        return f"line {self.row.line}: {self.row.title}: {self.text}"


@dataclass(frozen=True)
class Verdict:
    """The rows of a table, what is impossible in them, and what is doubtful.

    One of the `rows` is a row of the table on one data set, or what stands beside it of another
    paper; `read` says how many the table has. Those `checked` have scores that bind one another.
    `notes` say which lists of test images the Pd of the table speak for.
    """

    rows: tuple[PrintedRow, ...]
    findings: tuple[Impossible, ...]
    flags: tuple[tuple[PrintedRow, Flag], ...] = ()
    notes: tuple[str, ...] = ()
    read: int = 0
    checked: tuple[PrintedRow, ...] = ()  # own ones

    @property
    def own(self) -> list[PrintedRow]:
        """The table's own rows, without those of other papers beside or below them."""
        return [row for row in self.rows if not row.quoted]

    def impossible(self, quoted: bool = False) -> int:
        """How many of the table's own rows are impossible, or of those of other papers."""
        found = {(one.row.line, one.row.part) for one in self.findings if one.row.quoted == quoted}
        return len(found)

    @property
    def pooled(self) -> list[PrintedRow]:
        """The own rows that fit both identities of pooled scores, as far as they print them."""
        wanted = [row for row in self.own if len(set(row.scores) & set(PIXEL_SCORES)) > 1]
        return [row for row in wanted if not _in_both_ways(row, _as_pooled)]


def lint(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    claim: str = "unknown",
    scale: str = "auto",
    dataset: str = "",
    stated: str = "",
) -> Verdict:
    """Check a CSV file; lines that begin with # are skipped.

    `columns` gives the name of a column for some of `TABLE_SCORES`, or for `label`, `metric`,
    `value`, where it is not guessed. `claim` is the reduction that the table states, one of
    `CLAIMS`; `scale` one of `SCALES`, `auto` being percent for a score with a value above 2.
    `dataset` is the data set of columns that name none, `stated` the key of the test list that
    the table says it is over, for the columns of its data set.
    Raises `DataError` if no two scores are found, or if `auto` finds a row in fractions
    among rows in percent.
    """
    if claim not in CLAIMS:
        raise WrongUse(f"claim is {claim!r}, expected one of {', '.join(CLAIMS)}")
    rows, read = read_printed(path, columns or {}, scale)
    checked = tuple(row for row in rows if not row.quoted and _can_be_checked(row, claim))
    findings = [finding for row in rows for finding in check_row(row, claim)]
    lines = _lines(rows, path, dataset, stated)
    beside = table_flags(lines)
    flags = [
        (row, flag)
        for index, (row, line) in enumerate(zip(rows, lines, strict=True))
        for flag in (*row_flags(line), *beside.get(index, ()))
    ]
    return Verdict(tuple(rows), tuple(findings), tuple(flags), tuple(_told(lines)), read, checked)


def _lines(rows: list[PrintedRow], path: Path, dataset: str, stated: str) -> list[PrintedLine]:
    title = dataset_title(dataset)
    if dataset and not lists_of(title):
        known = sorted({one.dataset for one in known_lists().values()})
        raise UnknownName("data set with a known test list", dataset, known)
    wanted = list_named(stated).dataset if stated else ""
    if title and wanted and title != wanted:
        raise WrongUse(f"{stated} is a list of {wanted}, not of {title}")
    found = []
    for row in rows:
        own = dataset_title(row.part) or title or wanted
        iou, rate, false = (
            row.scores[score].digits if score in row.scores else "" for score in ("iou", "pd", "fa")
        )
        key = stated if own == wanted else ""
        found.append(PrintedLine(path.name, row.label, own, iou, rate, false, key))
    return found


def _told(lines: list[PrintedLine]) -> Iterable[str]:
    for dataset in dict.fromkeys(line.dataset for line in lines):
        texts = [line.pd for line in lines if line.pd and line.dataset == dataset]
        asked = [one for one in known_lists().values() if one.role == "test"]
        if dataset:
            asked = lists_of(dataset)
        for (key, targets), (fits, telling) in told_by(texts, asked).items():
            one = list_named(key)
            yield (
                f"{fits} of {telling} Pd fit {targets} targets, those of {one.title} of "
                f"{one.dataset}, {one.images} images"
            )


def _can_be_checked(row: PrintedRow, claim: str) -> bool:
    """Whether `contradictions` has two scores to hold against one another."""
    there = set(row.scores)
    overlaps = {"iou", "niou"} if claim == "image" else {"iou"}
    return (
        bool(there & overlaps and there & {"f1", "precision", "recall"})
        or there >= {"f1", "precision", "recall"}
        or (claim == "image" and there >= overlaps)
        or ("hiou" in there and bool(there & {"loc", "seg"}))
    )


def check_row(row: PrintedRow, claim: str = "unknown") -> Iterable[Impossible]:
    """What is impossible in a row, the coarsest first."""
    return _in_both_ways(row, partial(contradictions, claim=claim))


def _in_both_ways(
    row: PrintedRow, check: Callable[[PrintedRow, Spans], Iterable[Impossible]]
) -> list[Impossible]:
    """What is impossible if digits are rounded and also if they are cut off, told of the first."""
    rounded, cut = dict[str, tuple[float, float]](), dict[str, tuple[float, float]]()
    for score, value in row.scores.items():
        middle, half = (value.low + value.high) / 2, max((value.high - value.low) / 2, _LEAST)
        rounded[score] = middle - half, middle + half
        cut[score] = min(middle, value.high - _LEAST), middle + 2 * half
    others = {finding.check for finding in check(row, cut)}
    return [finding for finding in check(row, rounded) if finding.check in others]


def contradictions(row: PrintedRow, s: Spans, claim: str) -> Iterable[Impossible]:
    """What is impossible in a row whose scores are anywhere in these intervals."""
    for score, (low, high) in s.items():
        if low > 1 + _SLACK or high < -_SLACK:
            yield Impossible(row, "range", f"{_show(row, score)} is outside 0..1")
            return
    for other in ("f1", "precision", "recall"):
        for score in ("iou", "niou") if claim == "image" else ("iou",):
            if score == "niou" and "iou" in s:
                continue  # they are the same, which is looked at below
            if score in s and other in s and _above(s[score], s[other]):
                text = f"{_show(row, score)} > {_show(row, other)}"
                yield Impossible(row, f"{score} > {other}", text)
    if {"precision", "recall", "f1"} <= set(s):
        most = _harmonic(s["precision"][1], s["recall"][1])
        if s["f1"][0] > most + _SLACK:
            small, large = _digits(most, s["f1"][0])
            text = (
                f"{_show(row, 'f1', 'precision', 'recall')}: 2PR/(P+R) <= {small} < {large} <= F1"
            )
            yield Impossible(row, "f1 > 2pr/(p+r)", text)
    if {"f1", "iou"} <= set(s):
        least = _iou_of(s["f1"][0])
        if s["iou"][1] < least - _SLACK:
            small, large = _digits(s["iou"][1], least)
            text = f"{_show(row, 'iou', 'f1')}: IoU <= {small} < {large} <= F1/(2-F1)"
            yield Impossible(row, "iou < f1/(2-f1)", text)
    if claim == "image" and {"iou", "niou"} <= set(s) and _apart(s["iou"], s["niou"]):
        text = f"{_show(row, 'iou', 'niou')}: both are means over images of IoU"
        yield Impossible(row, "iou != niou", text)
    yield from _factors(row, s)
    if claim == "pooled":
        yield from _as_pooled(row, s)


def _factors(row: PrintedRow, s: Spans) -> Iterable[Impossible]:
    """What contradicts hIoU = loc x seg, of which none is above 1."""
    factors = [score for score in ("loc", "seg") if score in s]
    if "hiou" not in s or not factors:
        return
    most = math.prod(min(max(s[score][1], 0.0), 1.0) for score in factors)
    least = math.prod(max(s[score][0], 0.0) for score in factors) if len(factors) == 2 else 0.0
    if _outside(s["hiou"], least, most):
        low, high, _, _ = _digits(least, most, *s["hiou"])
        text = f"{_show(row, 'hiou', *factors)}: hIoU = loc x seg is "
        text += f"{low} to {high}" if least else f"at most {high}"
        yield Impossible(row, "hiou != loc x seg", text)


def _as_pooled(row: PrintedRow, s: Spans) -> Iterable[Impossible]:
    """What contradicts the identities that pooled counts obey."""
    if {"precision", "recall", "f1"} <= set(s):
        ends = [_harmonic(s["precision"][end], s["recall"][end]) for end in (0, 1)]
        if _outside(s["f1"], *ends):
            low, high, _, _ = _digits(*ends, *s["f1"])
            text = f"{_show(row, 'f1', 'precision', 'recall')}: pooled, F1 = 2PR/(P+R) is "
            yield Impossible(row, "pooled f1", text + f"{low} to {high}")
    if {"f1", "iou"} <= set(s):
        ends = [_iou_of(end) for end in s["f1"]]
        if _outside(s["iou"], *ends):
            low, high, _, _ = _digits(*ends, *s["iou"])
            text = f"{_show(row, 'iou', 'f1')}: pooled, IoU = F1/(2-F1) is {low} to {high}"
            yield Impossible(row, "pooled iou", text)


def _outside(span: tuple[float, float], low: float, high: float) -> bool:
    return span[1] < low - _SLACK or span[0] > high + _SLACK


def _above(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether `one` is certainly larger.

    Intervals that only touch are apart as well: rounding keeps order, so that of two
    numbers printed with the same digits the larger print is the larger number.
    """
    return one[0] >= other[1] - _SLACK


def _apart(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return _above(one, other) or _above(other, one)


def _harmonic(p: float, r: float) -> float:
    p, r = max(p, 0.0), max(r, 0.0)
    return 2 * p * r / (p + r) if p + r else 0.0


def _iou_of(f1: float) -> float:
    f1 = min(f1, 1.0)
    return f1 / (2 - f1)


def _digits(*values: float) -> list[str]:
    """Numbers with as many digits as tell apart those that differ, four at least."""
    for digits in range(4, 17):
        texts = [f"{value:.{digits}g}" for value in values]
        if len(set(texts)) == len(set(values)):
            break
    return texts


def _show(row: PrintedRow, *scores: str) -> str:
    return ", ".join(f"{TITLES[score]} {row.scores[score].text}" for score in scores)
