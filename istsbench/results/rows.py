"""The rows of a results folder by what a user calls them: name, label or group, by comma."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from pathlib import Path

import pandas as pd

from istsbench import registry
from istsbench.errors import DataError, UnknownName, WrongUse
from istsbench.results.folders import elsewhere
from istsbench.runs.record import sound

EVERY = "all"


def row_order(group: str, year: float | None, label: str) -> tuple[bool, float, str]:
    """Sorts rows by year and label as the paper prints them: games last, no year behind."""
    return group == "game", inf if year is None or year != year else year, str(label)


def in_row_order(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame with `group`, `year` and `label`, its lines in `row_order`, numbered from 0."""
    rows = frame[["group", "year", "label"]].to_numpy().tolist()
    places = sorted(range(len(rows)), key=lambda place: row_order(*rows[place]))
    return frame.iloc[places].reset_index(drop=True)


def rows_there(folder: Path) -> int:
    """How many rows a results folder has, 0 if it is not there."""
    try:
        return len(_labels(folder))
    except DataError:
        return 0


def rows_named(folder: Path, text: str) -> list[str]:
    """The specs of the rows that `text` names, in its order and without repetition.

    A row is named by its spec, `ipi(step=15)`, or by its label as tables print it; a group, `cnn`
    or `all`, names each of its rows. Names stand between commas or semicolons. A name may hold
    such signs itself: the longest run of parts that is a name is taken. Capitals matter only
    where two names differ by nothing else.

    Raises `UnknownName` with close matches, `WrongUse` if a name fits several rows, and
    `DataError` if the folder has no rows.
    """
    return rows_called(_labels(folder), text, folder)


def rows_across(folders: Sequence[Path], text: str) -> list[list[str]]:
    """As `rows_named`, of folders whose rows share a table: a name need only be in one of them.

    Raises `DataError` if a folder has none of the rows.
    """
    there = [_labels(folder) for folder in folders]
    return divided(there, text, folders)


def divided(
    there: Sequence[Mapping[str, tuple[str, str]]], text: str, places: Sequence[object]
) -> list[list[str]]:
    """`rows_across` of rows at hand, spec -> label and group, with the names of their places."""
    every = {spec: told for rows in reversed(there) for spec, told in rows.items()}
    asked = rows_called(every, text, " and ".join(map(str, places)))
    found = [[spec for spec in asked if spec in rows] for rows in there]
    for specs, place in zip(found, places, strict=True):
        if not specs:
            raise DataError(f"{place}: has none of the rows {text!r}")
    return found


def rows_called(rows: Mapping[str, tuple[str, str]], text: str, where: object) -> list[str]:
    """`rows_named` of rows at hand, spec -> label and group; `where` is for messages."""
    names, members = _names(rows)
    parts = re.split(r"[,;]", text)
    found: list[str] = []
    start = 0
    while start < len(parts):
        if not parts[start].strip():
            start += 1
            continue
        ends = [
            end
            for end in range(len(parts), start, -1)
            if _key(",".join(parts[start:end])) in {*names, *members}
        ]
        if not ends:
            labels = [label for label, _ in rows.values()]
            raise _unknown(parts[start:], [*rows, *labels, *members])
        _check_one_reading(text, parts[start : ends[0]], {*names, *members})
        name = ",".join(parts[start : ends[0]])
        found += _one(where, name, names) if _key(name) in names else members[_key(name)]
        start = ends[0]
    if not found:
        raise WrongUse(f"{text!r} names no row of {where}")
    return list(dict.fromkeys(found))


def _labels(folder: Path) -> dict[str, tuple[str, str]]:
    """Spec -> label and group. A damaged record is for those who ask for its row."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        record = sound(folder, path.stem)
        if record is not None:
            found[record.method] = record.label, record.group
    if not found:
        raise DataError(f"{folder}: no results; make some with `istsbench run`{elsewhere(folder)}")
    return found


def _names(
    rows: Mapping[str, tuple[str, str]],
) -> tuple[dict[str, dict[str, list[str]]], dict[str, list[str]]]:
    """Name without capitals -> spelling -> specs; then group without capitals -> specs.

    A spec goes before an equal label, and a name before a group that is called alike.
    """
    names: dict[str, dict[str, list[str]]] = {}
    for spec in rows:
        names.setdefault(_key(spec), {}).setdefault(_plain(spec), []).append(spec)
    for spec, (label, _) in rows.items():
        spellings = names.setdefault(_key(label), {})
        if _plain(label) not in map(_plain, rows):
            spellings.setdefault(_plain(label), []).append(spec)
    members = {EVERY: [*rows]}
    for spec, (_, group) in rows.items():
        if group:
            members.setdefault(_key(group), []).append(spec)
        if group in registry.TRADITIONAL:
            members.setdefault("traditional", []).append(spec)
    return names, members


def _plain(text: str) -> str:
    """A name with single spaces, and with none around commas."""
    return re.sub(r"\s*([,;])\s*", ",", " ".join(text.split()))


def _key(text: str) -> str:
    return _plain(text).casefold()


def _one(where: object, name: str, names: Mapping[str, Mapping[str, list[str]]]) -> list[str]:
    spellings = names[_key(name)]
    exact = spellings.get(_plain(name))
    specs = exact or [spec for several in spellings.values() for spec in several]
    if len(set(specs)) > 1:
        raise WrongUse(
            f"{name.strip()!r} is the label of several rows of {where}; name one of "
            + ", ".join(map(repr, dict.fromkeys(specs)))
        )
    return specs[:1]


def _check_one_reading(text: str, parts: list[str], known: Iterable[str]) -> None:
    if len(parts) > 1 and all(_key(part) in known for part in parts):
        raise WrongUse(
            f"{text!r} can be read in two ways: {','.join(parts).strip()!r} is one row, and "
            "each of its parts is a row as well; name rows by their specs"
        )


def _unknown(parts: list[str], known: Iterable[str]) -> UnknownName:
    end = 1
    while end < len(parts) and _open(",".join(parts[:end])):
        end += 1
    return UnknownName("row", ",".join(parts[:end]).strip(), list(dict.fromkeys(known)))


def _open(text: str) -> bool:
    """Whether a bracket is still to be closed."""
    return text.count("(") > text.count(")")
