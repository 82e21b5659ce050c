"""A verdict on every collected row: can its numbers be counts over the list that it states?

fits                the printed Pd is a share of the targets of the stated test list, or, if none
                    is stated, of a known list of the data set
fits another split  it is none of the stated list's, but one of another list's
impossible          no counts over the stated list give these numbers in one run: a Pd of no
                    list, a Pd below one target, an F1 and an IoU that no masks have together, a
                    triple that more tables print under another data set
cannot tell         no Pd is printed, it says nothing (100 %), or no list is stated and none fits

A row that prints again what another one prints with more digits is judged by these digits.
An F1 that misses its IoU by less than a point is flagged only: some evaluators take the IoU of
the map as it is and the F1 of the map divided by its maximum.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache

import pandas as pd

from istsbench.errors import UnknownName
from istsbench.metrics import RATIOS
from istsbench.tables.collected import SHOWN, Collected, collected, datasets
from istsbench.tables.flags import (
    Flag,
    PrintedLine,
    fitting,
    luck,
    reprinted,
    row_flags,
    says_nothing,
    table_flags,
)
from istsbench.tables.grid import decimals
from istsbench.tables.lint import contradictions
from istsbench.tables.printed import PIXEL_SCORES, Printed, PrintedRow
from istsbench.tables.testlists import dataset_title, list_named

FITS, OTHER_SPLIT, IMPOSSIBLE, CANNOT_TELL = (
    "fits", "fits another split", "impossible", "cannot tell",
)  # fmt: skip
_OUR_LISTS = {
    "nuaa": "nuaa-86", "nust": "nust-100", "nudt": "nudt-664", "irstd1k": "irstd1k-201",
}  # fmt: skip
VERDICTS = (FITS, OTHER_SPLIT, IMPOSSIBLE, CANNOT_TELL)
_TWO_MASKS = 0.01  # of F1: what two ways to make one map binary can differ by
_DECIDE = {"below one target": IMPOSSIBLE, "another split": OTHER_SPLIT}


@dataclass(frozen=True)
class Audited:
    """A row, its verdict, and what speaks for it."""

    row: Collected
    verdict: str
    reason: str
    flags: tuple[Flag, ...]
    lists: tuple[str, ...]  # keys of the lists that its Pd fits
    chance: float | None  # that a random Pd with as many digits fits the lists asked
    reprint_of: Collected | None


def audit(dataset: str | None = None) -> list[Audited]:
    """A verdict on every collected row, or on those of one data set (`nuaa`, `IRSTD-1K`).

    Rows are compared with all others, also where only one data set is shown. Raises
    `UnknownName` if no row is of that data set.
    """
    wanted = _wanted(dataset)
    return [one for one in _everything() if one.row.dataset in wanted]


@cache
def _everything() -> tuple[Audited, ...]:
    rows = collected()
    lines = [row.line for row in rows]
    finer = reprinted(lines)
    beside = table_flags(lines)
    tables = _tables_of_twins(lines)
    return tuple(
        _judge(rows, lines, index, finer.get(index), beside.get(index, []), tables.get(index))
        for index in range(len(rows))
    )


def _wanted(dataset: str | None) -> set[str]:
    known = datasets()
    if dataset is None:
        return set(known)
    title = dataset if dataset in known else dataset_title(dataset)
    if title not in known:
        raise UnknownName("data set of published rows", dataset, known)
    return {title}


def _judge(
    rows: Sequence[Collected],
    lines: Sequence[PrintedLine],
    index: int,
    finer: int | None,
    beside: Iterable[Flag],
    twins: tuple[int, int] | None,
) -> Audited:
    row, line = rows[index], lines[index]
    if finer is not None:
        line = replace(line, pd=lines[finer].pd)
    alone = list(row_flags(line))
    printed, claim = _as_printed(row)
    spans = {score: (value.low, value.high) for score, value in printed.scores.items()}
    masks = [Flag(found.check, found.text) for found in contradictions(printed, spans, claim)]
    flags = (*masks, *alone, *beside)
    asked = line.candidates
    fits = fitting(line.pd, asked) if line.pd else {}
    verdict, reason = CANNOT_TELL, _why_not(line)
    if masks and _gap(row) > _TWO_MASKS:
        verdict, reason = IMPOSSIBLE, masks[0].text
    elif twins and twins[1] > twins[0]:
        verdict = IMPOSSIBLE
        reason = f"{twins[1]} rows print its IoU, Pd and Fa under another data set, {twins[0]} here"
    elif decisive := [flag for flag in alone if flag.check in _DECIDE]:
        verdict, reason = _DECIDE[decisive[0].check], decisive[0].text
    elif missed := [flag for flag in alone if flag.check == "no list"]:
        verdict = IMPOSSIBLE if line.stated else CANNOT_TELL
        reason = missed[0].text
    elif fits and not says_nothing(line.pd, asked):
        verdict = FITS
        names = [f"{list_named(key).name}, {targets} targets" for key, targets in fits.items()]
        reason = f"Pd {line.pd} fits " + " and ".join(names)
    if not fits and line.pd:
        fits = fitting(line.pd, [one for one in replace(line, stated="").candidates])
    return Audited(
        row,
        verdict,
        reason,
        flags,
        tuple(fits),
        luck(line.pd, asked) if line.pd and asked else None,
        None if finer is None else rows[finer],
    )


def _gap(row: Collected) -> float:
    """By how much F1 and the F1 of the IoU differ; infinite where one of them is not printed."""
    if not (row.scores["f1"] and row.scores["iou"]):
        return float("inf")
    f1, iou = (float(row.scores[score]) / 100 for score in ("f1", "iou"))
    return abs(f1 - 2 * iou / (1 + iou))


def _why_not(line: PrintedLine) -> str:
    if not line.pd:
        return "no Pd is printed, and its other scores contradict nothing"
    if not line.candidates:
        return "no test list of this data set is known"
    if Decimal(line.pd) in (0, 100):
        return f"Pd {line.pd} fits every list"
    share = 100 * luck(line.pd, line.candidates)
    return f"Pd {line.pd} fits, but so would {share:.0f} % of all numbers with as many digits"


def _as_printed(row: Collected) -> tuple[PrintedRow, str]:
    """The row as `lint` takes it, each number rounded or cut off, and its reduction."""
    scores = {}
    for score in PIXEL_SCORES:
        if text := row.scores[score]:
            unit, value = 10.0 ** -decimals(text), float(text)
            scores[score] = Printed(text, (value - unit / 2) / 100, (value + unit) / 100, text)
    printed = PrintedRow(row.method, row.dataset, 0, scores)
    return printed, row.source.reduction or "unknown"


def _tables_of_twins(lines: Sequence[PrintedLine]) -> dict[int, tuple[int, int]]:
    """How many rows print a row's IoU, Pd and Fa under its data set, and under another."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for index, line in enumerate(lines):
        if line.iou and line.pd and line.fa:
            key = tuple(f"{float(text):.3g}" for text in (line.iou, line.pd, line.fa))
            groups.setdefault(key, []).append(index)
    found = {}
    for indices in groups.values():
        for index in indices:
            here = sum(lines[other].dataset == lines[index].dataset for other in indices)
            found[index] = here, len(indices) - here
    return found


def frame(audited: Iterable[Audited]) -> pd.DataFrame:
    """The rows as a table, one line each, numbers as printed."""
    return pd.DataFrame(
        {
            "source": one.row.source.name,
            "year": one.row.source.year,
            "method": one.row.method,
            "kind": one.row.kind,
            "dataset": one.row.dataset,
            "split": one.row.split,
            "list": one.row.stated,
            **{score: one.row.scores[score] for score in SHOWN},
            "verdict": one.verdict,
            "reason": one.reason,
            "fits": " ".join(one.lists),
            "chance": None if one.chance is None else round(one.chance, 4),
            "flags": "; ".join(map(str, one.flags)),
            "reprint_of": one.reprint_of.source.name if one.reprint_of else "",
            "read": "in the source" if one.row.read else "from a reading of it",
            "where": one.row.source.where,
        }
        for one in audited
    )


def audited_rows(dataset: str, reduction: str, fitting: bool) -> pd.DataFrame:
    """The rows of a data set in the form of `published.published`, verdicts in their split.

    With `fitting`, only those that state the test list that is ours, and fit it. IoU and F1
    enter under `pooled`, as the field computes them, nIoU under `image`; P and R under `pooled`.
    """
    ours = _OUR_LISTS.get(dataset)
    columns = {"iou": "niou"} if reduction == "image" else {score: score for score in RATIOS}
    lines = []
    for one in audit(list_named(ours).dataset) if ours else []:
        if fitting and (one.verdict != FITS or one.row.stated != ours):
            continue
        scores = {score: one.row.scores[column] for score, column in columns.items()}
        if any(scores.values()):
            numbers = {s: float(text) / 100 if text else None for s, text in scores.items()}
            told = {"split": f"{one.row.split}; {one.verdict}", "source": one.row.source.where}
            lines.append({"method": one.row.method} | told | numbers)
    frame = pd.DataFrame(lines, columns=["method", "split", "source", *RATIOS])
    return frame.astype(dict.fromkeys(RATIOS, float))
