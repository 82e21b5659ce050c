"""Columns and rows of a table as its reader wants them: which, in which order, how many."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from istsbench.errors import DataError, UnknownName, WrongUse
from istsbench.results.shipped import SHIPPED
from istsbench.results.trained import FOREIGN
from istsbench.tables.columns import KEYS, Column
from istsbench.tables.foot import LATER
from istsbench.tables.scores import SCORES, SPELLINGS, score_named
from istsbench.tables.table import NOT_APART, RECONSTRUCTION, Block, Table
from istsbench.unregistered import is_users

_HEADS = {"": "", "paper": "paper ", "diff": "diff. "}
_BESIDE = ("low", "high", "sd", "alike")  # what comes along with a column
_TOLD = ("trained", "foreign", "origin", "rule")  # what signs and notes are made of
_LONGEST = 24  # characters that a choice adds to a label
_BY_TEXT = ("label", "year")


def with_columns(table: Table, names: Sequence[str]) -> Table:
    """The table with just these columns of each data set, in this order.

    `names` are scores (`f1`, or the paper's `f1_paper`, or `f1_diff`), or, for one data set alone,
    names of columns of the CSV (`f1_nuaa`). Raises `UnknownName` with close matches.
    """
    wanted = [column for name in names for column in _columns(table, name)]
    if twice := [column.name for column in wanted if wanted.count(column) > 1]:
        raise WrongUse(f"the column {twice[0]} is named twice")
    datasets = list(dict.fromkeys(column.dataset for column in table.columns.values()))
    blocks: list[Block] = []
    for dataset in datasets:
        mine = [column for column in wanted if column.dataset == dataset]
        if mine:
            head = table.titles.get(dataset, dataset) if len(datasets) > 1 else ""
            blocks.append((head, tuple((column.name, _head(column)) for column in mine)))
    shown = {(column.score, column.dataset) for column in wanted if not column.kind}
    kept = {*KEYS, *(column.name for column in wanted)}
    for name, column in table.columns.items():
        along = column.kind in _BESIDE and (column.score, column.dataset) in shown
        if along or column.score in _TOLD:
            kept.add(name)
    scores = {column.score for column in wanted}
    frame = table.frame[[name for name in table.frame if name in kept]]
    notes = dict.fromkeys([*table.notes, *table.of_scores])
    forms = {column.name: score_named(column.score).form for column in wanted if not column.kind}
    return replace(
        table,
        title=_named(table, datasets),
        frame=frame,
        blocks=tuple(blocks),
        notes=tuple(note for note in notes if scores & {*table.of_scores.get(note, scores)}),
        forms={**table.forms, **forms},
        of_scores={},
    )


def _named(table: Table, datasets: Sequence[str]) -> str:
    """The title; a data set that has no head above its columns stands there."""
    if len(datasets) > 1:
        return table.title
    first, comma, rest = table.title.partition(",")
    return f"{first}, {table.titles.get(datasets[0], datasets[0])}{comma}{rest}"


def _head(column: Column) -> str:
    return _HEADS[column.kind] + score_named(column.score).head


def _columns(table: Table, name: str) -> list[Column]:
    """The columns of a name, one a data set."""
    numbers = _numbers(table)
    plain = name.strip().lower()
    exact = [column for column in numbers if column.name == plain]
    if exact:
        return exact
    asked = Column.read(plain)
    asked = replace(asked, score=SPELLINGS.get(asked.score, asked.score))
    found = [column for column in numbers if replace(column, dataset="") == asked]
    if not found:
        known = [replace(column, dataset="").name for column in numbers]
        raise UnknownName("column", name.strip(), list(dict.fromkeys([*known, *SPELLINGS])))
    return found


def _numbers(table: Table) -> list[Column]:
    """The columns that can be shown or sorted by, in the order of `SCORES`, then others."""
    found = [
        column
        for name, column in table.columns.items()
        if column.kind in _HEADS
        and column.score not in (*_TOLD, "seeds")
        and pd.api.types.is_numeric_dtype(table.frame[name])
    ]
    order = [*SCORES]
    return sorted(
        found,
        key=lambda one: order.index(one.score) if one.score in order else len(order),
    )


def in_order(table: Table, by: str, top: int | None = None) -> Table:
    """The rows with the best first by a column, those without a number last; perhaps some alone.

    `by` is named as in `with_columns`, of several data sets the first is meant; or it is `label` or
    `year`. With `top`, that many rows that have a number, and behind them the user's
    own ones, with their rank. Rows of other papers stay below. Raises
    `DataError` if no row has a number, and as `with_columns`.
    """
    ours = table.frame[table.frame["status"] != "published"]
    others = table.frame[table.frame["status"] == "published"]
    if by in _BY_TEXT:
        if top is not None:
            raise WrongUse(f"the best rows are by a score, {by} is none")
        key = ours["label"].str.casefold() if by == "label" else ours[by]
        rising, said = True, f"Rows by {by}."
    else:
        column = _columns(table, by)[0]
        key = ours[column.name].astype(float).map(score_named(column.score).printed)
        rising = score_named(column.score).fewer and not column.kind
        title = table.titles.get(column.dataset, column.dataset)
        said = f"{_head(column)} on {title}".replace(" 1e-6", "")
        if key.isna().all():
            why = [note for note, of in table.of_scores.items() if {*of} >= {*LATER}]
            reason = f": {why[0]}" if why and column.score in LATER else ""
            raise DataError(f"no row has {said}, to sort by it{reason}")
        merit = score_named(column.score).merit
        if top is not None and not merit:
            raise WrongUse(f"the best rows are by a score, {said} is none")
        if top is None:
            said = f"Rows by {said}, {'best' if merit else 'highest'} first."
        else:
            few = min(top, int(key.notna().sum()))
            said = f"The {few} best by {said} of {len(ours)} rows; marks are among those shown."
            if any(one.kind == "alike" for one in table.columns.values()):
                said = f"{said[:-1]}, {NOT_APART} is against the best of all."
    key = key.sort_values(ascending=rising, kind="stable", na_position="last")
    if top is not None:
        given = key.dropna()
        behind = given.iloc[top:]
        pairs = zip(ours.loc[behind.index, "method"], ours.loc[behind.index, "group"], strict=True)
        mine = behind[[is_users(str(spec), str(group)) for spec, group in pairs]]
        ranks = given.rank(method="min", ascending=rising)
        told = [
            f"{ours.loc[row, 'label']} is {ranks[row]:.0f} of {len(given)}" for row in mine.index
        ]
        said += f" Shown too: {', '.join(told)}." if told else ""
        key, behind = given.iloc[:top], behind.drop(mine.index)
        if (alike := behind.index[behind == key.iloc[-1]]).size:
            named = ", ".join(ours.loc[alike, "label"])
            said += f" Not shown, though equal to the last of them: {named}."
        key = pd.concat([key, mine])
    frame = pd.concat([ours.loc[key.index], others], ignore_index=True)
    signs = "".join(map(table.signs, frame.to_dict("records")))
    gone = tuple(sign for sign in (RECONSTRUCTION, FOREIGN, SHIPPED) if sign not in signs)
    told = [note for note in table.notes if not note.startswith(gone)]
    return replace(table, frame=frame, notes=(said, *told))


def arranged(
    table: Table, columns: Sequence[str] = (), by: str = "", top: int | None = None
) -> Table:
    """`in_order` and `with_columns` as asked; best rows are by the first column, else by F1."""
    if top is not None and not by:
        by = columns[0] if columns else "f1"
    if by:
        table = in_order(table, by, top)
    table = with_label(table, *columns)
    table = with_label(table, f"by {by}" if by else "", f"top {top}" if top is not None else "")
    return with_columns(table, columns) if columns else table


def with_label(table: Table, *words: str) -> Table:
    """The table with a label that tells it from one without these words; long ones as a hash."""
    text = "-".join(filter(None, [word.strip() for word in words]))
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "-" + hashlib.sha256(text.encode()).hexdigest()[:4]
    return replace(table, label="-".join(filter(None, (table.label, text))))
