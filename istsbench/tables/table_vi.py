"""The paper's Table VI from results folders, data sets side by side.

A table states its protocol in one line a data set (`tables.foot`). A cell is blank unless every
image was counted. Beside our numbers stand those that the paper prints, with the difference
where wanted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from istsbench.errors import DataError, ProtocolMix, WrongUse
from istsbench.metrics import HEADS, RATIOS
from istsbench.results import intervals as uncertainty
from istsbench.results import seeds
from istsbench.results.profiled import common_profile
from istsbench.results.protocol import REDUCED
from istsbench.results.results import Results
from istsbench.results.rows import in_row_order
from istsbench.results.shipped import SHIPPED, is_shipped, origins
from istsbench.results.trained import FOREIGN, is_foreign
from istsbench.runs.record import Record
from istsbench.tables.audit import audited_rows
from istsbench.tables.columns import KEYS, Column, named
from istsbench.tables.foot import (
    captioned,
    in_words,
    notes_of_columns,
    notes_told,
    placed,
    protocol_line,
    stamped,
)
from istsbench.tables.published import paper_scores, published, with_published
from istsbench.tables.scores import score_named
from istsbench.tables.table import NOT_APART, RECONSTRUCTION, Table

BESIDE = ("nothing", "paper", "difference")
WITH_INTERVALS = ("f1", "iou", "hiou")  # scores
_STANDARD = (*HEADS, "hiou")
ELSEWHERE = ("none", "same", "all", "fitting", "recent")  # others' rows


def table_vi(
    sets: Sequence[Results],
    rule: str = "own",
    reduction: str = "image",
    *,
    beside: str = "paper",
    elsewhere: str = "none",
    intervals: bool = False,
    over_seeds: bool = False,
    match: str = "first",
) -> Table:
    """The paper's Table VI from one or more results folders, data sets side by side.

    Where the folders are scored under a profile (`results.profiled`), `rule` is its name and
    `reduction` its own.

    `beside` is one of `BESIDE`: what stands next to our numbers. `elsewhere`, one of
    `ELSEWHERE`, adds what other papers print, below and with source and split: of the same
    methods, or all; or of the audited collection of 2022 to 2026, the rows that fit the split
    that they state and that is ours, or all with their verdicts.
    `intervals` adds 95 % bootstrap intervals and the mark of what is not distinguishable
    from the best. `over_seeds` gives one row, mean and standard deviation, in place of those
    that differ by the seed of their training alone, and for means over images that mark.
    `match`, one of `matching.MATCHES`, decides on Pd and Fa.
    Raises `ProtocolMix` if a method was not counted under the rule or profiles would be mixed,
    `DataError` if there are no such rows.
    """
    if beside not in BESIDE:
        raise WrongUse(f"beside is {beside!r}, expected one of {', '.join(BESIDE)}")
    if elsewhere not in ELSEWHERE:
        raise WrongUse(f"elsewhere is {elsewhere!r}, expected one of {', '.join(ELSEWHERE)}")
    if intervals and over_seeds:
        raise WrongUse("intervals are over images and of one training: not with means over seeds")
    profile = common_profile(sets)
    if profile and (intervals or match != "first"):
        raise WrongUse(
            f"the profile {profile.name} fixes reduction and matching: a table under it has "
            f"neither {'intervals' if intervals else 'another matching'}"
        )
    frame, blocks, protocol, notes = None, [], [], []
    datasets = [results.any_record.dataset for results in sets]
    columns: dict[str, Column] = {}
    of_scores: dict[str, tuple[str, ...]] = {}
    for results, dataset in zip(sets, datasets, strict=True):
        protocol.append(protocol_line(results, rule, reduction, match))
        if datasets.count(dataset) > 1:
            raise ProtocolMix(f"{results.folder}: {dataset} would stand in this table twice")
        part = _with_training(results.summary(rule, reduction, match), results)
        part = _with_origin(part, results)
        if over_seeds:
            part, found, rows = seeds.averaged(part, results)
            notes += found
            if reduction == "image" and not profile:
                part = _with_tests(part, results, rule, rows)
        part = part[[*KEYS, *(c for c in part if c not in KEYS)]]
        shown = [score for score in _STANDARD if score != "hiou" or part["hiou"].notna().any()]
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
        title = results.any_record.title
        wanted = [(title, "")]
        if beside != "nothing":
            wanted.append((f"{title}, paper", "paper"))
        if beside == "difference":
            wanted.append((f"{title}, difference", "diff"))
        for head, kind in wanted:
            mine = [c for c in held.values() if c.kind == kind and c.score in shown]
            if part[[c.name for c in mine]].notna().any(axis=None):
                blocks.append((head, tuple((c.name, score_named(c.score).head) for c in mine)))
        if frame is None:
            frame = part
        else:
            frame, differing = _beside(frame, part)
            notes += differing
        notes += notes_told(results, rule)
        of_columns = notes_of_columns(results, rule)
        notes += [note for note, scores in of_columns if {*scores} & {*shown}]
        of_scores |= dict(of_columns)
    assert frame is not None, "at least one results folder"
    if over_seeds and not frame.filter(regex="^seeds_").notna().any(axis=None):
        raise DataError(
            "no two rows differ by the seed of their training alone"
            + "".join(f"; {note}" for note in notes if "not averaged" in note)
        )
    if (frame["status"] == "reconstruction").any():
        notes.append(f"{RECONSTRUCTION} reconstructed: the source was not reachable.")
    if intervals:
        notes.append("In brackets: 95 % bootstrap intervals of our number, over images.")
    alike = [name for name, column in columns.items() if column.kind == "alike"]
    if frame[alike].eq(True).any(axis=None):
        how = (
            "for means over images, paired bootstrap tests over images for pooled scores and hIoU"
            if intervals
            else "averaged over seeds, which speak of other images and not of other trainings"
        )
        notes.append(
            f"{NOT_APART} not distinguishable from the best of its column: Wilcoxon signed-rank "
            f"tests on the scores of the images {how}; Holm's correction, 5 %."
        )
    if elsewhere != "none":
        if elsewhere in ("fitting", "recent"):
            rows_of = partial(audited_rows, reduction=reduction, fitting=elsewhere == "fitting")
        else:
            rows_of = partial(published, reduction=reduction)
        frame, sources = with_published(frame, datasets, rows_of, elsewhere == "same")
        notes += sources
    if over_seeds:
        frame = seeds.labelled(frame)
    frame = frame.assign(label=_told_apart(frame))
    title = f"Table VI, rule {rule}, {REDUCED[reduction]}"
    if profile:
        title = f"Table VI, profile {profile.name}, {REDUCED[reduction]}"
    under = {results.any_record.dataset: results for results in sets}
    usual = "nothing" if intervals or profile else "difference"  # as the command has it
    empty = sets[0].empty_choice
    apart = (
        "intervals" if intervals else "",
        "seeds" if over_seeds else "",
        match if match != "first" else "",
        "" if beside == usual else {"nothing": "alone"}.get(beside, beside),
        elsewhere if elsewhere != "none" else "",
        f"empty-{empty}" if empty else "",
    )
    notes = list(dict.fromkeys(notes))
    return Table(
        title,
        frame,
        tuple(blocks),
        tuple(protocol),
        tuple(notes),
        columns=columns,
        of_scores=of_scores,
        stamps=tuple(map(stamped, sets)),
        titles={name: one.any_record.title for name, one in under.items()},
        places={name: placed(one) for name, one in under.items()},
        sentences={name: in_words(one, rule, reduction, match) for name, one in under.items()},
        under=f"profile {profile.name}" if profile else captioned(rule, reduction),
        label="-".join(filter(None, (rule, reduction, *apart))),
    )


def _told_apart(frame: pd.DataFrame) -> list[str]:
    """The labels of rows; where two are alike, each with the name of its row."""
    labels = list(map(str, frame["label"]))
    specs = map(str, frame["method"])
    return [
        f"{label} ({spec})" if labels.count(label) > 1 else label
        for label, spec in zip(labels, specs, strict=True)
    ]


def _with_training(part: pd.DataFrame, results: Results) -> pd.DataFrame:
    """The rows with the data set and split of their weights, and whether these are of another."""
    told = {spec: record.trained for spec, record in results.records.items()}
    names = {
        spec: f"{trained.dataset or '?'}/{trained.split or '?'}"
        for spec, trained in told.items()
        if trained is not None
    }
    if not names:
        return part
    foreign = {spec: is_foreign(results.records[spec]) for spec in names}
    return part.assign(
        trained=part["method"].map(names), foreign=part["method"].map(foreign).astype("boolean")
    )


def _with_origin(part: pd.DataFrame, results: Results) -> pd.DataFrame:
    """The rows with what they came with, if some came with the package."""
    names = origins(results)
    return part.assign(origin=part["method"].map(names)) if names else part


def row_signs(record: Record) -> str:
    """What follows the label of a row wherever it is printed, by its record."""
    mark = RECONSTRUCTION if record.status == "reconstruction" else ""
    return mark + (FOREIGN if is_foreign(record) else "")


def _with_intervals(
    part: pd.DataFrame, results: Results, rule: str, reduction: str
) -> pd.DataFrame:
    if not any(results.complete(spec, rule) for spec in results.records):
        return part
    scores = [score for score in WITH_INTERVALS if part[score].notna().any()]
    for score in scores:
        found = uncertainty.intervals(results, rule, score, reduction)
        compared = uncertainty.against_best(results, rule, score, reduction)
        part[f"{score}_low"] = part["method"].map(found["low"])
        part[f"{score}_high"] = part["method"].map(found["high"])
        part[f"{score}_alike"] = part["method"].isin(_alike(compared))
    return part


def _with_tests(
    part: pd.DataFrame, results: Results, rule: str, rows: Mapping[str, list[str]]
) -> pd.DataFrame:
    if any(results.complete(spec, rule) for spec in results.records):
        for score in RATIOS:
            compared = uncertainty.against_best(results, rule, score, rows=rows)
            part[f"{score}_alike"] = part["method"].isin(_alike(compared))
    return part


def _alike(compared: pd.DataFrame) -> set[str]:
    """The rows that are not distinguishable from the best, and do not read as it does."""
    printed = compared["value"].map(lambda value: format(value, ".3f"))
    return set(compared.index[compared["alike"] & (printed != printed.iloc[0])])


def _beside(left: pd.DataFrame, right: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows of both, those of one method joined, and notes on methods told of in two ways.

    A method that never ran on a data set has no label and status there, and takes the others.
    """
    about = [key for key in KEYS if key != "method"]
    told: dict[str, dict[Any, Any]] = {}
    notes = []
    for record in [*left.to_dict("records"), *right.to_dict("records")]:
        spec, here = str(record["method"]), {key: record[key] for key in about}
        there = told.setdefault(spec, here)
        if there == here or not here["status"]:
            continue
        if not there["status"]:
            told[spec] = here
            continue
        which = next(key for key in about if there[key] != here[key])
        notes.append(
            f"{there['label']}: records of it differ, {which} is {there[which]!r} in one data set "
            f"and {here[which]!r} in another."
        )
        if here["status"] == "reconstruction":
            there["status"] = "reconstruction"
    joined = left.drop(columns=about).merge(
        right.drop(columns=about), on="method", how="outer", sort=False
    )
    keys = pd.DataFrame([told[spec] for spec in joined["method"]], columns=about)
    joined = pd.concat([joined["method"], keys, joined.drop(columns="method")], axis=1)
    return in_row_order(joined), notes


CONSOLE = (
    ("precision", "P", "{:.3f}"), ("recall", "R", "{:.3f}"), ("f1", "F1", "{:.3f}"),
    ("iou", "IoU", "{:.3f}"), ("niou", "nIoU", "{:.3f}"), ("pd", "Pd", "{:.3f}"),
    ("fa", "Fa 1e-6", "{:.1f}"), ("hiou", "hIoU", "{:.3f}"), ("auc", "AUC", "{:.4f}"),
    ("seconds", "s/image", "{:.4f}"),
)  # fmt: skip
_PRINTED = {score for score, _, _ in CONSOLE}


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
        record = results.records[line["method"]]
        mark = row_signs(record) + (SHIPPED if is_shipped(record) else "")
        cells = ["" if pd.isna(line[c]) else form.format(line[c]) for c, _, form in CONSOLE]
        grid.add_row(escape(str(line["label"])) + mark, *cells)
    # Without emoji: mine.py:dog: is the name of a row.
    terminal = Console(width=None if Console().is_terminal else 160, emoji=False)
    terminal.print(grid)
    told = [note for note, scores in notes_of_columns(results, rule) if _PRINTED & {*scores}]
    for note in (protocol_line(results, rule, reduction), *told, *notes_told(results, rule)):
        terminal.print(note, soft_wrap=True, highlight=False, markup=False)
