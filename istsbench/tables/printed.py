"""A table of results as somebody printed it: each number an interval of half a last digit.

A table is wide (a column per score, perhaps per data set as well) or long (a column of
score names and one of values), in fractions or in percent. A false-alarm rate is in units of
1e-6 or of 1e-5, as the head of its column says, else by its size.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from istsbench.errors import CountsFile, DataError, WrongUse

PIXEL_SCORES = ("precision", "recall", "f1", "iou", "niou")
TABLE_SCORES = (*PIXEL_SCORES, "pd", "fa", "hiou", "loc", "seg")
TITLES = {
    "precision": "P", "recall": "R", "f1": "F1", "iou": "IoU", "niou": "nIoU", "pd": "Pd",
    "fa": "Fa", "hiou": "hIoU", "loc": "loc", "seg": "seg",
}  # fmt: skip
SCALES = ("auto", "fraction", "percent")
_SPELLINGS = {
    "precision": {"p", "pre", "prec", "precision", "ppv"},
    "recall": {"r", "rec", "recall", "tpr", "sensitivity"},
    "f1": {"f", "f1", "fscore", "f1score", "fmeasure", "f1measure", "dice", "dsc"},
    "iou": {"iou", "miou", "jaccard"},
    "pd": {"pd", "detectionrate", "detectionprobability", "probabilityofdetection"},
    "fa": {"fa", "falsealarm", "falsealarmrate"},
    **{score: {score} for score in ("niou", "hiou", "loc", "seg")},
}
_UNIT = re.compile(  # of a false-alarm rate: 1e-6, 10^{-6}, x10-6
    r"[x×*]?\s*(?:1e|10\s*\^?\s*\{?)\s*[-−⁻]\s*(?P<power>[56⁵⁶])\}?", re.IGNORECASE
)
_FRACTION = 0.05  # no column of rates in 1e-6 stays below it, none of fractions is above
_KNOWN = {name: score for score, names in _SPELLINGS.items() for name in names}
_ASIDE = {"err", "diff", "difference", "delta", "std", "sd", "low", "high", "ci", "alike", "rank"}
_NAMES, _VALUES = {"metric", "score", "measure"}, {"value", "result", "number"}
_LABELS = ("label", "method", "methods", "model", "network", "name", "algorithm")
_LONGEST = 100  # characters of a number; nobody prints as many


@dataclass(frozen=True)
class Printed:
    """A number as printed: it stands for anything between `low` and `high` (0..1).

    `digits` is the number in percent, or for Fa in units of 1e-6, with the digits printed.
    """

    text: str
    low: float
    high: float
    digits: str = ""


@dataclass(frozen=True)
class PrintedRow:
    """One method's scores in one part of the table (a data set, a split, a source)."""

    label: str
    part: str
    line: int  # of the file, from 1
    scores: Mapping[str, Printed]
    quoted: bool = False  # another paper's numbers, beside or below the table's own

    @property
    def title(self) -> str:
        return f"{self.label} ({self.part})" if self.part else self.label


def read_printed(
    path: Path, columns: Mapping[str, str], scale: str
) -> tuple[list[PrintedRow], int]:
    """The rows with numbers, and how many rows there are; see `lint.lint`."""
    if scale not in SCALES:
        raise WrongUse(f"scale is {scale!r}, expected one of {', '.join(SCALES)}")
    head, lines = _read(path)
    for score, column in columns.items():
        if score not in (*TABLE_SCORES, "label", "metric", "value"):
            raise WrongUse(f"{score!r} is no score, expected one of {', '.join(TABLE_SCORES)}")
        if column not in head:
            raise DataError(f"{path}: no column {column!r}, it has {', '.join(head)}")
    long = _long(head, columns)
    found = (
        _from_long(head, lines, columns, long) if long else _from_wide(path, head, lines, columns)
    )
    if not any(len(scores) > 1 for _, _, _, scores in found):
        if {"tp", "fp", "fn"} <= {*head}:
            raise CountsFile(
                f"{path}: counts of single images, not a table of results; "
                "`istsbench table VI --format csv` makes one of them"
            )
        raise DataError(
            f"{path}: no two of precision, recall, F1, IoU, Pd and Fa in its columns "
            f"({', '.join(head)}); name them, e.g. f1=F-measure,iou=mIoU"
        )
    percent = _percent(found) if scale == "auto" else {}
    _check_scale(path, found, percent)
    rows = _intervals(found, scale, percent, _unit_of_fa(head, found))
    status = head.index("status") if "status" in head else None
    below = {n for n, cells in lines if status is not None and cells[status] == "published"}
    places = {(row.line, row.part) for row in rows}
    return [  # what stands in `f1_nuaa_paper` is quoted where it is beside `f1_nuaa`
        replace(row, quoted=row.line in below or (row.line, _own_part(row.part)) in places)
        for row in rows
    ], len({text[0] for text in found} if long else lines)


def _own_part(part: str) -> str | None:
    own, _, last = part.rpartition(" ")
    return own if last == "paper" else None


RowTexts = tuple[str, str, int, dict[str, str]]  # label, part, line, score -> text
Place = tuple[str, str]  # part, score


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
    words = _words(_UNIT.sub(" ", name))
    for size in (3, 2, 1):
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
    path: Path, head: list[str], lines: list[tuple[int, list[str]]], given: Mapping[str, str]
) -> list[RowTexts]:
    label = _label_column(head, given)
    named = {column: score for score, column in given.items() if score in TABLE_SCORES}
    places: dict[tuple[str, str], int] = {}
    for index, name in enumerate(head):
        if name in named:
            places[named[name], ""] = index
        elif index != label and (place := _place(name)) and place[0] not in named.values():
            if places.setdefault(place, index) != index:
                raise DataError(
                    f"{path}: {head[places[place]]!r} and {name!r} both read as {place[0]}; say "
                    f"which one counts, e.g. {place[0]}={name}"
                )
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
) -> list[RowTexts]:
    label, (metric, value) = _label_column(head, given), columns
    rows: dict[tuple[str, str], RowTexts] = {}
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
    """Value, decimals, and whether a percent sign follows; None if it is no number."""
    match = _NUMBER.match(text)
    if not match or len(match[1]) > _LONGEST:
        return None
    mantissa, _, exponent = match[1].lower().partition("e")
    decimals = len(mantissa.partition(".")[2]) - int(exponent or 0)
    value = float(match[1])
    if not math.isfinite(value):  # as of 1e999: no score
        return None
    return value, decimals, text[match.end() :].lstrip().startswith("%")


def _percent(found: list[RowTexts]) -> dict[Place, float]:
    """The columns in percent, each with its highest value.

    Values above 1 are percent beside another score above 2.
    """
    highest: dict[Place, float] = {}
    for _, part, _, scores in found:
        for score, text in scores.items():
            if score != "fa" and (read := _number(text)):
                value, _, sign = read
                most = highest.get((part, score), 0.0)
                if sign or value <= 100:  # what is larger is wrong in percent too
                    highest[part, score] = max(most, 100.0 if sign else value)
    hundreds = {part for (part, _), value in highest.items() if value > 2}
    return {column: value for column, value in highest.items()
            if value > 2 or (value > 1 and column[0] in hundreds)}  # fmt: skip


def _check_scale(path: Path, found: list[RowTexts], percent: Mapping[Place, float]) -> None:
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


def _intervals(
    found: list[RowTexts], scale: str, percent: Mapping[Place, float], fa_unit: float
) -> list[PrintedRow]:
    """Rows with intervals."""
    columns: dict[Place, list[str]] = {}
    for _, part, _, scores in found:
        for score, text in scores.items():
            if _number(text):
                columns.setdefault((part, score), []).append(text)
    decimals = {place: _decimals(texts) for place, texts in columns.items()}
    rows = []
    for label, part, number, scores in found:
        printed = {}
        for score in TABLE_SCORES:
            read = _number(scores.get(score, ""))
            if read is None:
                continue
            unit: float = 100 if scale == "percent" or (part, score) in percent else 1
            if score == "fa":
                unit = fa_unit
            half = 0.5 * 10.0 ** -decimals[part, score][scores[score]]
            low, high = (read[0] - half) / unit, (read[0] + half) / unit
            digits = _shifted(scores[score], (1e6 if score == "fa" else 100) / unit)
            printed[score] = Printed(scores[score], low, high, digits)
        if printed:
            rows.append(PrintedRow(label, part, number, printed))
    return rows


def _decimals(texts: list[str]) -> dict[str, int]:
    """The decimals to which each number of a column is printed.

    Many writers drop zeros at the end, and the column tells how many: its numbers have as many
    decimals as the longest of them, or as many digits (%.6g). Where the two differ, the coarser
    one counts, but never less than what is printed.
    """
    read = {text: number for text in texts if (number := _number(text))}
    most = max(decimals for _, decimals, _ in read.values())
    before = {  # the place of the first digit: 0 for 0.5, -1 for 0.05, 2 for 50
        text: math.floor(math.log10(abs(value))) + 1
        for text, (value, _, _) in read.items()
        if value
    }
    digits = max((read[text][1] + place for text, place in before.items()), default=most)
    return {
        text: max(own, min(most, digits - before.get(text, 0)))
        for text, (_, own, _) in read.items()
    }


def _shifted(text: str, factor: float) -> str:
    """A number times a power of ten, with the digits that it is printed with."""
    match = _NUMBER.match(text)
    assert match, f"{text!r} was read as a number before"
    return f"{Decimal(match[1]).scaleb(round(math.log10(factor))):f}"


def _unit_of_fa(head: list[str], found: list[RowTexts]) -> float:
    """How many of the units of the column of false-alarm rates make 1."""
    for name in head:
        if (unit := _UNIT.search(name)) and any(word == "fa" for word in _words(name)):
            return 1e5 if unit["power"] in "5⁵" else 1e6
    read = [_number(scores.get("fa", "")) for _, _, _, scores in found]
    largest = max((value for value, _, _ in filter(None, read)), default=0.0)
    return 1.0 if largest < _FRACTION else 1e6
