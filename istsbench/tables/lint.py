"""Rows of a results table that no segmentation can have produced.

Whatever a method did, its precision P, recall R, F1 and IoU over the same images obey

    pooled over pixels    F1 = 2PR/(P+R)     IoU = F1/(2-F1)
    means over images     F1 <= 2PR/(P+R)    F1/(2-F1) <= IoU <= F1, min(P, R)

(the second line because the harmonic mean is concave, F1/(2-F1) convex, and IoU is the
least of the four on each image, 0/0 = 0). What breaks the second line is impossible under
either reduction; what breaks the first alone is impossible only if the table says that it
is pooled. Printed digits stand for an interval of half a unit of the last one on either
side, and a row is reported only if no values in its intervals obey.

hIoU is loc x seg under any reduction. Pd and Fa are flagged, which is weaker: see `tables.flags`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from istsbench.errors import UnknownName, WrongUse
from istsbench.tables.flags import Flag, PrintedLine, row_flags, table_flags, told_by
from istsbench.tables.printed import PIXEL_SCORES, TITLES, Printed, PrintedRow, read_printed
from istsbench.tables.testlists import dataset_title, known_lists, list_named, lists_of

CLAIMS = ("unknown", "image", "pooled")
_SLACK = 1e-9  # for what floating point does to decimal digits


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

    `notes` say which lists of test images the Pd of the table speak for.
    """

    rows: tuple[PrintedRow, ...]
    findings: tuple[Impossible, ...]
    flags: tuple[tuple[PrintedRow, Flag], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def pooled(self) -> list[PrintedRow]:
        """The rows that fit both identities of pooled scores, as far as they print them."""
        wanted = [row for row in self.rows if len(set(row.scores) & set(PIXEL_SCORES)) > 1]
        return [row for row in wanted if not list(_as_pooled(row))]


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
    rows = read_printed(path, columns or {}, scale)
    findings = [finding for row in rows for finding in check_row(row, claim)]
    lines = _lines(rows, path, dataset, stated)
    beside = table_flags(lines)
    flags = [
        (row, flag)
        for index, (row, line) in enumerate(zip(rows, lines, strict=True))
        for flag in (*row_flags(line), *beside.get(index, ()))
    ]
    return Verdict(tuple(rows), tuple(findings), tuple(flags), tuple(_told(lines)))


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


def check_row(row: PrintedRow, claim: str = "unknown") -> Iterable[Impossible]:
    """What is impossible in a row, the coarsest first."""
    s = row.scores
    for score, value in s.items():
        if value.low > 1 + _SLACK or value.high < -_SLACK:
            yield Impossible(row, "range", f"{_show(row, score)} is outside 0..1")
            return
    for other in ("f1", "precision", "recall"):
        for score in ("iou", "niou") if claim != "pooled" else ("iou",):
            if score == "niou" and "iou" in s:
                continue  # an nIoU beside an IoU is another reduction than the rest
            if score in s and other in s and _above(s[score], s[other]):
                text = f"{_show(row, score)} > {_show(row, other)}"
                yield Impossible(row, f"{score} > {other}", text)
    if {"precision", "recall", "f1"} <= set(s):
        most = _harmonic(s["precision"].high, s["recall"].high)
        if s["f1"].low > most + _SLACK:
            text = f"{_show(row, 'f1', 'precision', 'recall')}: F1 > 2PR/(P+R) <= {most:.4g}"
            yield Impossible(row, "f1 > 2pr/(p+r)", text)
    if {"f1", "iou"} <= set(s):
        least = s["f1"].low / (2 - s["f1"].low)
        if s["iou"].high < least - _SLACK:
            text = f"{_show(row, 'iou', 'f1')}: IoU < F1/(2-F1) >= {least:.4g}"
            yield Impossible(row, "iou < f1/(2-f1)", text)
    if claim == "image" and {"iou", "niou"} <= set(s) and _apart(s["iou"], s["niou"]):
        text = f"{_show(row, 'iou', 'niou')}: both are means over images of IoU"
        yield Impossible(row, "iou != niou", text)
    yield from _factors(row)
    if claim == "pooled":
        yield from _as_pooled(row)


def _factors(row: PrintedRow) -> Iterable[Impossible]:
    """What contradicts hIoU = loc x seg, of which none is above 1."""
    s = row.scores
    factors = [score for score in ("loc", "seg") if score in s]
    if "hiou" not in s or not factors:
        return
    most = math.prod(min(max(s[score].high, 0.0), 1.0) for score in factors)
    least = math.prod(max(s[score].low, 0.0) for score in factors) if len(factors) == 2 else 0.0
    if s["hiou"].low > most + _SLACK or s["hiou"].high < least - _SLACK:
        text = f"{_show(row, 'hiou', *factors)}: hIoU = loc x seg is "
        text += f"{least:.4g} to {most:.4g}" if least else f"at most {most:.4g}"
        yield Impossible(row, "hiou != loc x seg", text)


def _as_pooled(row: PrintedRow) -> Iterable[Impossible]:
    """What contradicts the identities that pooled counts obey."""
    s = row.scores
    if {"precision", "recall", "f1"} <= set(s):
        p, r = s["precision"], s["recall"]
        low, high = _harmonic(p.low, r.low), _harmonic(p.high, r.high)
        if s["f1"].high < low - _SLACK or s["f1"].low > high + _SLACK:
            text = f"{_show(row, 'f1', 'precision', 'recall')}: pooled, F1 = 2PR/(P+R) is "
            yield Impossible(row, "pooled f1", text + f"{low:.4g} to {high:.4g}")
    if {"f1", "iou"} <= set(s):
        low, high = (f / (2 - f) for f in (s["f1"].low, s["f1"].high))
        if s["iou"].high < low - _SLACK or s["iou"].low > high + _SLACK:
            text = f"{_show(row, 'iou', 'f1')}: pooled, IoU = F1/(2-F1) is {low:.4g} to {high:.4g}"
            yield Impossible(row, "pooled iou", text)


def _above(one: Printed, other: Printed) -> bool:
    """Whether `one` is certainly larger.

    Intervals that only touch are apart as well: rounding keeps order, so that of two
    numbers printed with the same digits the larger print is the larger number.
    """
    return one.low >= other.high - _SLACK


def _apart(one: Printed, other: Printed) -> bool:
    return _above(one, other) or _above(other, one)


def _harmonic(p: float, r: float) -> float:
    p, r = max(p, 0.0), max(r, 0.0)
    return 2 * p * r / (p + r) if p + r else 0.0


def _show(row: PrintedRow, *scores: str) -> str:
    return ", ".join(f"{TITLES[score]} {row.scores[score].text}" for score in scores)
