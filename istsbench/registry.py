"""Names to methods, through the entry points `istsbench.segmenters`.

Ours and third parties' methods are registered alike, by one line of packaging
metadata. A class is imported only when a method is created; what a listing needs
(the card) is read from the source file, so that listing imports no method.
"""

from __future__ import annotations

import ast
import csv
import dataclasses
import difflib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from istsbench.segmenter import Card, Segmenter

ENTRY_POINTS = "istsbench.segmenters"
TRADITIONAL = ("spatial", "hvs", "lowrank")
_PLAIN: dict[str, Any] = {
    "bool": bool, "int": int, "float": (float, int), "str": str, "tuple": tuple,
}  # fmt: skip


class WrongUse(ValueError):
    """What was asked for cannot be read or does not exist; the message says what could be."""


class UnknownName(WrongUse, LookupError):
    """No method, data set or group has this name."""

    def __init__(self, kind: str, name: str, known: list[str]) -> None:
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known)}"
        super().__init__(f"unknown {kind} {name!r}; {hint}")


class BrokenMethod(ImportError):
    """An entry point that cannot be loaded; other methods are not affected."""


@cache
def _entries() -> dict[str, list[EntryPoint]]:
    """The entry points by name; more than one under a name is a clash of two packages."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        same = found.setdefault(entry.name, [])
        if entry.value not in [other.value for other in same]:
            same.append(entry)
    return found


def _entry(name: str) -> EntryPoint:
    entry, *others = _entries()[name]
    if others:
        raise BrokenMethod(
            f"two methods are called {name!r}: {entry.value} and {others[0].value}; "
            "one of them has to be renamed or uninstalled"
        )
    return entry


def names() -> list[str]:
    """The names of all registered methods, sorted."""
    return list(_entries())


def info(name: str) -> type[Segmenter]:
    """The class that is registered as `name`.

    Raises `UnknownName` (with close matches) or `BrokenMethod` (with the cause).
    """
    if name not in _entries():
        raise UnknownName("method", name, names())
    return load(_entry(name))


def load(entry: EntryPoint) -> type[Segmenter]:
    """The class that an entry point names; raises `BrokenMethod` with the cause."""
    what = f"method {entry.name!r} ({entry.value})"
    try:
        found = entry.load()
    except (Exception, SystemExit) as error:
        raise BrokenMethod(f"{what} cannot be loaded: {type(error).__name__}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Segmenter)):
        raise BrokenMethod(f"{what} is {found!r}, expected a subclass of Segmenter")
    if not isinstance(getattr(found, "card", None), Card):
        raise BrokenMethod(f"{what} has no card")
    return found


def create(name: str, **parameters: Any) -> Segmenter:
    """An instance of the method `name`, with some of its parameters changed.

    Raises `TypeError` for a parameter that it has not, or for a value of another type.
    """
    return build(info(name), name, parameters)


def build(kind: type[Segmenter], name: str, parameters: Mapping[str, Any]) -> Segmenter:
    """An instance of a class that messages call `name`; see `create`."""
    types = {field.name: _type_name(field.type) for field in dataclasses.fields(kind)}
    given = dict(parameters)
    for key, value in given.items():
        if key not in types:
            close = difflib.get_close_matches(key, types, n=1)
            hint = f"did you mean {close[0]}?" if close else f"it has: {', '.join(types) or 'none'}"
            raise TypeError(f"method {name!r} has no parameter {key!r}; {hint}")
        if isinstance(value, str) and "Path" in types[key]:
            given[key] = Path(value)
        elif isinstance(value, list) and types[key].startswith("tuple"):
            given[key] = tuple(value)
        elif not _fits(value, types[key]):
            raise TypeError(f"method {name!r}: {key} is {value!r}, expected {types[key]}")
    return kind(**given)


def _type_name(annotation: Any) -> str:
    """An annotation as it is written, whether or not it was evaluated."""
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _fits(value: Any, kind: str) -> bool:
    """Whether a value is of a plain type; any value is of another one, like `int | None`."""
    expected = _PLAIN.get(kind.partition("[")[0], object)
    if isinstance(value, bool):  # also an int, but nobody means one
        return expected in (bool, object)
    return isinstance(value, expected)


def cards() -> dict[str, Card | BrokenMethod]:
    """The card of every method, or what is wrong with it; imports a method only at need."""
    found: dict[str, Card | BrokenMethod] = {}
    for name in names():
        try:
            found[name] = _written_card(_entry(name)) or info(name).card
        except BrokenMethod as error:
            found[name] = error
    return found


def _written_card(entry: EntryPoint) -> Card | None:
    """The card as the source file states it, if it is there in plain literals."""
    try:
        spec = find_spec(entry.module)
        tree = ast.parse(Path(spec.origin).read_bytes())  # type: ignore[union-attr, arg-type]
    except (Exception, SystemExit):
        return None
    for kind in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        if kind.name != entry.attr:
            continue
        for node in kind.body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", 0)
            if isinstance(target, ast.Name) and target.id == "card":
                call = node.value  # type: ignore[attr-defined]
                try:
                    values = [ast.literal_eval(value) for value in call.args]
                    named = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
                    return Card(*values, **named)
                except (AttributeError, TypeError, ValueError):
                    return None
    return None


def groups() -> dict[str, list[str]]:
    """Group names and the methods in them; usable wherever method names are."""
    found: dict[str, list[str]] = {"all": names()}
    known = {name: card for name, card in cards().items() if isinstance(card, Card)}
    for name, card in known.items():
        found.setdefault(card.group, []).append(name)
    found["traditional"] = [name for group in TRADITIONAL for name in found.get(group, [])]
    with files("istsbench.paper").joinpath("table_vi.csv").open() as file:
        rows = {line["label"] for line in csv.DictReader(file)}
    found["table-vi"] = [name for name, card in known.items() if card.label in rows]
    return found
