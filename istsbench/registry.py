"""Names to methods, through the entry points `istsbench.segmenters`.

Ours and third parties' methods are registered alike, by one line of packaging
metadata. A method's module is imported only when the method or its card is asked for: a
listing imports all of them, and is quick because they import neither torch nor numba then.
"""

from __future__ import annotations

import ast
import csv
import dataclasses
import difflib
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

from istsbench import unregistered
from istsbench.errors import BrokenMethod, UnknownName, WrongUse
from istsbench.segmenter import Card, Segmenter
from istsbench.unregistered import as_class, described, load_entry

ENTRY_POINTS = "istsbench.segmenters"


@dataclass(frozen=True)
class Group:
    """A block of methods in words: over a list, and in a sentence for one and for several."""

    title: str
    one: str
    several: str


GROUPS = {  # in the order of the paper's tables
    "spatial": Group("Spatial filters", "spatial filter", "spatial filters"),
    "hvs": Group("Local contrast", "local contrast method", "local contrast methods"),
    "lowrank": Group("Low rank and sparse", "low-rank method", "low-rank methods"),
    "cnn": Group("Networks", "network", "networks"),
    "game": Group("Game", "game of networks", "games of networks"),
}
TRADITIONAL = ("spatial", "hvs", "lowrank")
_PLAIN: dict[str, Any] = {
    "bool": bool, "int": int, "float": (float, int), "str": str, "tuple": tuple,
}  # fmt: skip


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
    entry = _entry(name)
    return as_class(load_entry(entry), described(entry))


def create(name: str, **parameters: Any) -> Segmenter:
    """An instance of the method `name`, with some of its parameters changed.

    Raises `TypeError` for a parameter that it has not, or for a value of another type.
    """
    return build(info(name), name, parameters)


def build(kind: type[Segmenter], name: str, parameters: Mapping[str, Any]) -> Segmenter:
    """An instance of a class that messages call `name`; see `create`."""
    types = {item.name: _type_name(item.type) for item in dataclasses.fields(kind)}
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
    """The card of every method, or what is wrong with the method."""
    found: dict[str, Card | BrokenMethod] = {}
    for name in names():
        try:
            found[name] = info(name).card
        except BrokenMethod as error:
            found[name] = error
    return found


def groups() -> dict[str, list[str]]:
    """Group names and the methods in them; usable wherever method names are."""
    found: dict[str, list[str]] = {"all": names()}
    known = {name: card for name, card in cards().items() if isinstance(card, Card)}
    for name, card in known.items():
        found.setdefault(card.group, []).append(name)
    found["traditional"] = [name for group in TRADITIONAL for name in found.get(group, [])]
    with files("istsbench.tables").joinpath("table_vi.csv").open() as file:
        rows = {line["label"] for line in csv.DictReader(file)}
    found["table-vi"] = [name for name, card in known.items() if card.label in rows]
    return found


def group_named(group: str) -> Group:
    """The words for a group; a plug-in may have one of its own."""
    own = Group(group.capitalize() or "Other", f"{group} method", f"{group} methods")
    return GROUPS.get(group, own)


def group_order(group: str) -> tuple[int, str]:
    """Sorts groups as the paper lists them, others behind by name."""
    known = list(GROUPS)
    return (known.index(group) if group in known else len(known), group)


def members(group: str) -> list[str]:
    """The methods of a group; raises `UnknownName` with names that are close."""
    known = {"all": names()} if group == "all" else groups()
    if group not in known:
        raise UnknownName("method or group", group, [*known, *names()])
    return known[group]


# --- from what a user types to methods: "all"  "hvs,ipi"  "tophat(size=7),ipi"  and "ipi.step=15"

_ITEM = re.compile(r"(.+\.py:[^()]*|[\w.:-]+)\s*(?:\((.*)\))?", re.DOTALL)
_PLAIN_SPEC = re.compile(r"\w[\w.-]*(\([\w.=-]+(, [\w.=-]+)*\))?", re.ASCII)
_LONGEST = 100  # characters of a file's name that come from a spec
Supply = Callable[[], type[Segmenter] | Segmenter]
_CLOSED_BY = {"(": ")", "[": "]", "{": "}"}


def file_name(spec: str) -> str:
    """A spec in characters that every file system takes; two specs never share a name."""
    if _PLAIN_SPEC.fullmatch(spec) and len(spec) <= _LONGEST:
        return re.sub(r"\(|, ", "_", spec).removesuffix(")")
    plain = re.sub(r"[^\w.=-]+", "_", spec, flags=re.ASCII)[:_LONGEST].strip("_.-")
    return f"{plain}-{hashlib.sha256(spec.encode()).hexdigest()[:8]}".lstrip("-")


@dataclass(frozen=True)
class Choice:
    """A method with the parameters that were changed."""

    name: str
    changes: tuple[tuple[str, Any], ...] = ()
    named: bool = field(default=True, compare=False)  # by itself, not as one of a group
    origin: Supply | None = field(default=None, compare=False, repr=False)
    """Gives what is not registered under the name: a class, or an instance to start from."""
    called: str = field(default="", compare=False)  # its label, where the user chose one

    @property
    def spec(self) -> str:
        """`name` or `name(key=value, ...)`, what identifies it in results."""
        changes = ", ".join(f"{key}={value!r}" for key, value in self.changes)
        return f"{self.name}({changes})" if changes else self.name

    @property
    def file(self) -> str:
        return file_name(self.spec)

    def label(self, label: str) -> str:
        """The label of the method with what was changed, as tables print it."""
        changes = ", ".join(f"{key}={value}" for key, value in self.changes)
        return self.called or (f"{label} ({changes})" if changes else label)

    def create(self) -> Segmenter:
        found = info(self.name) if self.origin is None else self.origin()
        if isinstance(found, Segmenter):
            return dataclasses.replace(found, **dict(self.changes))
        return build(found, self.name, dict(self.changes))


def choose(methods: str, changes: Iterable[str] = ()) -> list[Choice]:
    """The methods that a comma-separated list names, without repetition, in its order.

    Besides names and groups these are `FILE.py:NAME` and `package.module:NAME`, which need not
    be registered. `changes` are `method.parameter=value` and apply to that method wherever it is
    chosen. Raises `WrongUse` with what was given and what was expected, also for a change of a
    method that is not chosen.
    """
    asked = [read_item(part) for part in _split(methods)]
    own = _unregistered(name for name, _ in asked)
    known = [*names(), *own]
    extra: dict[str, dict[str, Any]] = {}
    for change in changes:
        target, equals, value = change.partition("=")
        name, dot, key = target.strip().rpartition(".")
        if not (dot and equals):
            raise WrongUse(f"--set got {change!r}, expected METHOD.PARAMETER=VALUE")
        if name not in known:
            raise UnknownName("method", name, known)
        extra.setdefault(name, {})[key] = _value(value)
    found: dict[Choice, Choice] = {}
    for typed, given in asked:
        name = unregistered.titled(typed) if unregistered.is_own(typed) else typed
        if given and name not in known and name in groups():
            raise WrongUse(f"{name!r} is a group; parameters belong to a single method")
        for member in [name] if name in known else members(name):
            merged = {**extra.get(member, {}), **given}
            changed = tuple(sorted(merged.items()))
            choice = Choice(member, changed, name in known, own.get(member))
            found[choice] = choice if choice.named else found.get(choice, choice)
    if not found:
        raise WrongUse(f"{methods!r} names no method")
    idle = [name for name in extra if name not in {choice.name for choice in found}]
    if idle:
        raise WrongUse(f"--set changes {idle[0]!r}, which is not among the methods {methods!r}")
    for choice in found:
        if choice.changes:
            _try(choice)
    return list(found.values())


def _unregistered(typed: Iterable[str]) -> dict[str, Supply]:
    """By their titles, those of some texts that are no registered name."""
    sources: dict[str, str] = {}
    for text in filter(unregistered.is_own, typed):
        title, source = unregistered.titled(text), unregistered.resolved(text)
        if sources.setdefault(title, source) != source:
            raise WrongUse(f"{sources[title]}, {source}: both called {title}; rename one")
    return {title: partial(unregistered.load, source) for title, source in sources.items()}


def by_comma(text: str, option: str) -> list[str]:
    """The words that stand between commas, at least one; `option` names the text in errors."""
    words = [part.strip() for part in text.split(",") if part.strip()]
    if not words:
        raise WrongUse(f"{option} {text!r} names nothing; expected words separated by commas")
    return words


def read_item(text: str) -> tuple[str, dict[str, Any]]:
    """The name and the parameters of `name(parameter=value, ...)`, brackets if there are any."""
    item = _ITEM.fullmatch(text.removeprefix('"').removesuffix('"'))
    if item is None:
        raise WrongUse(
            f"cannot read {text!r} as a method; expected names or "
            "name(parameter=value), separated by commas"
        )
    unregistered.check_typed(item.group(1))
    return item.group(1).strip(), _arguments(item.group(2) or "")


def _try(choice: Choice) -> None:
    try:
        choice.create()
    except BrokenMethod:
        return  # the run records it and goes on
    except (TypeError, ValueError) as error:
        raise WrongUse(f"{choice.spec}: {error}") from error


def _split(text: str) -> list[str]:
    """The parts between commas that stand outside brackets and quotes, none empty."""
    parts, closing, quote, escaped = [""], list[str](), "", False
    for sign in text:
        if quote:
            quote = "" if sign == quote and not escaped else quote
            escaped = sign == "\\" and not escaped
        elif sign in "'\"":
            quote = sign
        elif sign in _CLOSED_BY:
            closing.append(_CLOSED_BY[sign])
        elif sign in ")]}" and (not closing or closing.pop() != sign):
            raise WrongUse(f"cannot read {text!r}: {sign!r} closes no bracket")
        if sign == "," and not closing and not quote:
            parts.append("")
        else:
            parts[-1] += sign
    if closing or quote:
        raise WrongUse(f"cannot read {text!r}: {quote or closing[-1]!r} is missing at its end")
    return [part.strip() for part in parts if part.strip()]


def _arguments(text: str) -> dict[str, Any]:
    found = {}
    for part in _split(text):
        key, equals, value = part.partition("=")
        if not equals or not key.strip().isidentifier():
            raise WrongUse(f"cannot read the parameter {part!r}, expected name=value")
        found[key.strip()] = _value(value)
    return found


def _value(text: str) -> Any:
    """A Python literal, or the text itself; lists as tuples, since a method is a value."""
    text = text.strip()
    try:
        value = _frozen(ast.literal_eval(text))
        hash(value)
    except (ValueError, SyntaxError):
        return text
    except TypeError:
        raise WrongUse(f"{text} cannot be a parameter; expected numbers, words or tuples") from None
    return value


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value
