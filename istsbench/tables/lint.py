"""Rows of a results table that no segmentation can have produced.

Whatever a method did, its precision P, recall R, F1 and IoU over the same images obey

    pooled over pixels    F1 = 2PR/(P+R)     IoU = F1/(2-F1)
    means over images     F1 <= 2PR/(P+R)    F1/(2-F1) <= IoU <= F1, min(P, R)

(the second line because the harmonic mean is concave, F1/(2-F1) convex, and IoU is the
least of the four on each image, 0/0 = 0). What breaks the second line is impossible under
either reduction; what breaks the first alone is impossible only if the table says that it
is pooled. Printed digits stand for an interval of half a unit of the last one on either
side, and a row is reported only if no values in its intervals obey.

A table is wide (a column per score, perhaps per data set as well) or long (a column of
score names and one of values), in fractions or in percent.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from istsbench.errors import DataError, WrongUse

SCORES = ("precision", "recall", "f1", "iou", "niou")
TITLES = {"precision": "P", "recall": "R", "f1": "F1", "iou": "IoU", "niou": "nIoU"}
CLAIMS = ("unknown", "image", "pooled")
SCALES = ("auto", "fraction", "percent")
_SPELLINGS = {
    "precision": {"p", "pre", "prec", "precision", "ppv"},
    "recall": {"r", "rec", "recall", "tpr", "sensitivity"},
    "f1": {"f", "f1", "fscore", "f1score", "fmeasure", "f1measure", "dice", "dsc"},
    "iou": {"iou", "miou", "jaccard"},
    "niou": {"niou"},
}
_KNOWN = {name: score for score, names in _SPELLINGS.items() for name in names}
_ASIDE = {"diff", "difference", "delta", "std", "sd", "low", "high", "ci", "alike", "rank"}
_NAMES, _VALUES = {"metric", "score", "measure"}, {"value", "result", "number"}
_LABELS = ("label", "method", "methods", "model", "network", "name", "algorithm")
_LONGEST = 100  # characters of a number; nobody prints as many
_SLACK = 1e-9  # for what floating point does to decimal digits


@dataclass(frozen=True)
class Printed:
    """A number as printed: it stands for anything between `low` and `high` (0..1)."""

    text: str
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One method's scores in one part of the table (a data set, a split, a source)."""

    label: str
    part: str
    line: int  # of the file, from 1
    scores: Mapping[str, Printed]

    @property
    def title(self) -> str:
        return f"{self.label} ({self.part})" if self.part else self.label


@dataclass(frozen=True)
class Finding:
    """Why a row is impossible."""

    row: Row
    check: str
    text: str

    def __str__(self) -> str:
        return f"line {self.row.line}: {self.row.title}: {self.text}"


@dataclass(frozen=True)
class Report:
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]

    @property
    def pooled(self) -> list[Row]:
        """The rows that fit both identities of pooled scores, as far as they print them."""
        wanted = [row for row in self.rows if len(row.scores) > 1]
        return [row for row in wanted if not list(_as_pooled(row))]


def lint(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    claim: str = "unknown",
    scale: str = "auto",
) -> Report:
    """Check a CSV file; lines that begin with # are skipped.

    `columns` gives the name of a column for some of `SCORES`, or for `label`, `metric`,
    `value`, where it is not guessed. `claim` is the reduction that the table states, one of
    `CLAIMS`; `scale` one of `SCALES`, `auto` being percent for a score with a value above 2.
    Raises `DataError` if no two scores are found, or if `auto` finds a row in fractions
    among rows in percent.
    """
    for what, value, known in (("claim", claim, CLAIMS), ("scale", scale, SCALES)):
        if value not in known:
            raise WrongUse(f"{what} is {value!r}, expected one of {', '.join(known)}")
    head, lines = _read(path)
    given = dict(columns or {})
    for score, column in given.items():
        if score not in (*SCORES, "label", "metric", "value"):
            raise WrongUse(f"{score!r} is no score, expected one of {', '.join(SCORES)}")
        if column not in head:
            raise DataError(f"{path}: no column {column!r}, it has {', '.join(head)}")
    long = _long(head, given)
    found = _from_long(head, lines, given, long) if long else _from_wide(head, lines, given)
    if not any(len(scores) > 1 for _, _, _, scores in found):
        raise DataError(
            f"{path}: no two of precision, recall, F1 and IoU in its columns "
            f"({', '.join(head)}); name them, e.g. f1=F-measure,iou=mIoU"
        )
    percent = _percent(found) if scale == "auto" else {}
    _check_scale(path, found, percent)
    rows = _intervals(found, scale, percent)
    findings = [finding for row in rows for finding in check(row, claim)]
    return Report(tuple(rows), tuple(findings))


def check(row: Row, claim: str = "unknown") -> Iterable[Finding]:
    """What is impossible in a row, the coarsest first."""
    s = row.scores
    for score, value in s.items():
        if value.low > 1 + _SLACK or value.high < -_SLACK:
            yield Finding(row, "range", f"{_show(row, score)} is outside 0..1")
            return
    for other in ("f1", "precision", "recall"):
        for score in ("iou", "niou") if claim != "pooled" else ("iou",):
            if score == "niou" and "iou" in s:
                continue  # an nIoU beside an IoU is another reduction than the rest
            if score in s and other in s and _above(s[score], s[other]):
                text = f"{_show(row, score)} > {_show(row, other)}"
                yield Finding(row, f"{score} > {other}", text)
    if {"precision", "recall", "f1"} <= set(s):
        most = _harmonic(s["precision"].high, s["recall"].high)
        if s["f1"].low > most + _SLACK:
            text = f"{_show(row, 'f1', 'precision', 'recall')}: F1 > 2PR/(P+R) <= {most:.4g}"
            yield Finding(row, "f1 > 2pr/(p+r)", text)
    if {"f1", "iou"} <= set(s):
        least = s["f1"].low / (2 - s["f1"].low)
        if s["iou"].high < least - _SLACK:
            text = f"{_show(row, 'iou', 'f1')}: IoU < F1/(2-F1) >= {least:.4g}"
            yield Finding(row, "iou < f1/(2-f1)", text)
    if claim == "image" and {"iou", "niou"} <= set(s) and _apart(s["iou"], s["niou"]):
        text = f"{_show(row, 'iou', 'niou')}: both are means over images of IoU"
        yield Finding(row, "iou != niou", text)
    if claim == "pooled":
        yield from _as_pooled(row)


def _as_pooled(row: Row) -> Iterable[Finding]:
    """What contradicts the identities that pooled counts obey."""
    s = row.scores
    if {"precision", "recall", "f1"} <= set(s):
        p, r = s["precision"], s["recall"]
        low, high = _harmonic(p.low, r.low), _harmonic(p.high, r.high)
        if s["f1"].high < low - _SLACK or s["f1"].low > high + _SLACK:
            text = f"{_show(row, 'f1', 'precision', 'recall')}: pooled, F1 = 2PR/(P+R) is "
            yield Finding(row, "pooled f1", text + f"{low:.4g} to {high:.4g}")
    if {"f1", "iou"} <= set(s):
        low, high = (f / (2 - f) for f in (s["f1"].low, s["f1"].high))
        if s["iou"].high < low - _SLACK or s["iou"].low > high + _SLACK:
            text = f"{_show(row, 'iou', 'f1')}: pooled, IoU = F1/(2-F1) is {low:.4g} to {high:.4g}"
            yield Finding(row, "pooled iou", text)


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


def _show(row: Row, *scores: str) -> str:
    return ", ".join(f"{TITLES[score]} {row.scores[score].text}" for score in scores)


# ------------------------------------------------------------------ reading

Found = tuple[str, str, int, dict[str, str]]  # label, part, line, score -> text
Column = tuple[str, str]  # part, score


def _read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    if not path.is_file():
        raise DataError(f"{path}: there is no such file, expected a CSV table of results")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text file in UTF-8 ({error.reason})") from None
    numbered = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    ]
    if not numbered:
        raise DataError(f"{path}: the file is empty")
    head = numbered[0][1]
    mark = max(",;\t", key=head.count)
    rows = csv.reader(io.StringIO("\n".join(line for _, line in numbered)), delimiter=mark)
    try:
        cells = [[cell.strip() for cell in row] for row in rows]
    except csv.Error as error:
        raise DataError(f"{path}: not a readable table ({error})") from None
    if len(cells) != len(numbered):
        raise DataError(f"{path}: a cell runs over several lines")
    lines = [
        (number, (row + [""] * len(cells[0]))[: len(cells[0])])
        for (number, _), row in zip(numbered[1:], cells[1:], strict=True)
    ]
    return cells[0], lines


def _words(name: str) -> list[str]:
    """`NUAA-SIRST F1-score` is nuaa, sirst, f1, score."""
    return re.findall(r"[a-z]+\d*|\d+", name.lower())


def _place(name: str) -> tuple[str, str] | None:
    """Score and part of a column of a wide table, or None if it is something else.

    The score stands first or last in the name, once: `nuaa_f1`, `F-measure (NUAA)`.
    """
    words = _words(name)
    for size in (2, 1):
        for start in {0, len(words) - size}:
            score = _KNOWN.get("".join(words[start : start + size])) if start >= 0 else None
            rest = words[: max(start, 0)] + words[max(start, 0) + size :]
            if score and not any(word in _KNOWN or word in _ASIDE for word in rest):
                return score, " ".join(rest)
    return None


def _label_column(head: list[str], given: Mapping[str, str]) -> int:
    if "label" in given:
        return head.index(given["label"])
    lower = [name.lower() for name in head]
    return next((lower.index(name) for name in _LABELS if name in lower), 0)


def _long(head: list[str], given: Mapping[str, str]) -> tuple[int, int] | None:
    """The columns of score names and of values, if the table is long."""
    found = []
    for key, names in (("metric", _NAMES), ("value", _VALUES)):
        named = [given[key]] if key in given else [n for n in head if n.lower() in names]
        if not named:
            return None
        found.append(head.index(named[0]))
    return found[0], found[1]


def _from_wide(
    head: list[str], lines: list[tuple[int, list[str]]], given: Mapping[str, str]
) -> list[Found]:
    label = _label_column(head, given)
    named = {column: score for score, column in given.items() if score in SCORES}
    places: dict[tuple[str, str], int] = {}
    for index, name in enumerate(head):
        if name in named:
            places[named[name], ""] = index
        elif index != label and (place := _place(name)) and place[0] not in named.values():
            places.setdefault(place, index)
    found = []
    for number, cells in lines:
        for part in dict.fromkeys(part for _, part in places):
            scores = {s: cells[index] for (s, p), index in places.items() if p == part}
            found.append((cells[label], part, number, scores))
    return found


def _from_long(
    head: list[str],
    lines: list[tuple[int, list[str]]],
    given: Mapping[str, str],
    columns: tuple[int, int],
) -> list[Found]:
    label, (metric, value) = _label_column(head, given), columns
    rows: dict[tuple[str, str], Found] = {}
    for number, cells in lines:
        score = _KNOWN.get("".join(_words(cells[metric])))
        if score is None:
            continue
        rest = [c for i, c in enumerate(cells) if i not in (label, metric, value) and c]
        key = (cells[label], ", ".join(rest))
        row = rows.setdefault(key, (*key, number, {}))
        row[3][score] = cells[value]
    return list(rows.values())


_NUMBER = re.compile(r"[*_$\\{}a-z<>/\s]*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)", re.IGNORECASE)


def _number(text: str) -> tuple[float, int, bool] | None:
    """Value, decimals, and whether a percent sign follows; None for an empty cell."""
    match = _NUMBER.match(text)
    if not match or len(match[1]) > _LONGEST:
        return None
    mantissa, _, exponent = match[1].lower().partition("e")
    decimals = len(mantissa.partition(".")[2]) - int(exponent or 0)
    return float(match[1]), decimals, text[match.end() :].lstrip().startswith("%")


def _percent(found: list[Found]) -> dict[Column, float]:
    """The columns in percent, each with its highest value.

    Values above 1 are percent beside another score above 2.
    """
    highest: dict[Column, float] = {}
    for _, part, _, scores in found:
        for score, text in scores.items():
            if read := _number(text):
                value, _, sign = read
                most = highest.get((part, score), 0.0)
                if sign or value <= 100:  # what is larger is wrong in percent too
                    highest[part, score] = max(most, 100.0 if sign else value)
    hundreds = {part for (part, _), value in highest.items() if value > 2}
    return {column: value for column, value in highest.items()
            if value > 2 or (value > 1 and column[0] in hundreds)}  # fmt: skip


def _check_scale(path: Path, found: list[Found], percent: Mapping[Column, float]) -> None:
    """Raise `DataError` for a row that may be in fractions although its columns are in percent.

    One number above 1, or with a percent sign, tells that the whole row is in percent.
    """
    for label, part, number, scores in found:
        texts = {score: text for score, text in scores.items() if (part, score) in percent}
        read = {score: value for score, text in texts.items() if (value := _number(text))}
        small = [score for score, (value, _, _) in read.items() if value]
        if small and all(value <= 1 and not sign for value, _, sign in read.values()):
            score = small[0]
            raise DataError(
                f"{path}: line {number}: {label} has {TITLES[score]} {texts[score]} where others "
                f"have up to {percent[part, score]:g}: percent and fractions in one column; "
                "use --scale if all are of one"
            )


def _intervals(found: list[Found], scale: str, percent: Mapping[Column, float]) -> list[Row]:
    """Rows with intervals. A column has as many decimals as its longest number, for some
    writers drop zeros at the end."""
    decimals: dict[Column, int] = {}
    for _, part, _, scores in found:
        for score, text in scores.items():
            if read := _number(text):
                decimals[part, score] = max(decimals.get((part, score), 0), read[1])
    rows = []
    for label, part, number, scores in found:
        printed = {}
        for score in SCORES:
            read = _number(scores.get(score, ""))
            if read is None:
                continue
            unit = 100 if scale == "percent" or (part, score) in percent else 1
            half = 0.5 * 10.0 ** -decimals[part, score]
            low, high = (read[0] - half) / unit, (read[0] + half) / unit
            printed[score] = Printed(scores[score], low, high)
        if printed:
            rows.append(Row(label, part, number, printed))
    return rows
