"""From what a user types to methods: names, groups, and changed parameters.

"all"   "hvs,ipi"   "tophat(size=7),ipi"   and, besides, "ipi.step=15"
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from istsbench import registry
from istsbench.registry import BrokenMethod, UnknownName, WrongUse
from istsbench.segmenter import Segmenter

_ITEM = re.compile(r"([\w.:-]+)\s*(?:\((.*)\))?", re.DOTALL)
_PLAIN = re.compile(r"\w[\w.-]*(\([\w.=-]+(, [\w.=-]+)*\))?", re.ASCII)
_LONGEST = 100  # characters of a file's name that come from a spec
_CLOSED_BY = {"(": ")", "[": "]", "{": "}"}


def file_name(spec: str) -> str:
    """A spec in characters that every file system takes; two specs never share a name."""
    if _PLAIN.fullmatch(spec) and len(spec) <= _LONGEST:
        return re.sub(r"\(|, ", "_", spec).removesuffix(")")
    plain = re.sub(r"[^\w.=-]+", "_", spec, flags=re.ASCII)[:_LONGEST].strip("_.-")
    return f"{plain}-{hashlib.sha256(spec.encode()).hexdigest()[:8]}".lstrip("-")


@dataclass(frozen=True)
class Choice:
    """A method with the parameters that were changed."""

    name: str
    changes: tuple[tuple[str, Any], ...] = ()
    named: bool = field(default=True, compare=False)  # by itself, not as one of a group

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
        return f"{label} ({changes})" if changes else label

    def create(self) -> Segmenter:
        return registry.create(self.name, **dict(self.changes))


def choose(methods: str, changes: Iterable[str] = ()) -> list[Choice]:
    """The methods that a comma-separated list names, without repetition, in its order.

    `changes` are `method.parameter=value` and apply to that method wherever it is chosen.
    Raises `WrongUse` with what was given and what was expected, also for a change of a method
    that is not chosen.
    """
    groups, known = registry.groups(), registry.names()
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
    for part in _split(methods):
        name, given = read_item(part)
        if name not in known and name not in groups:
            raise UnknownName("method or group", name, [*groups, *known])
        if given and name not in known:
            raise WrongUse(f"{name!r} is a group; parameters belong to a single method")
        for member in [name] if name in known else groups[name]:
            merged = {**extra.get(member, {}), **given}
            choice = Choice(member, tuple(sorted(merged.items())), name in known)
            found[choice] = choice if choice.named else found.get(choice, choice)
    if not found:
        raise WrongUse(f"--methods {methods!r} names no method")
    idle = [name for name in extra if name not in {choice.name for choice in found}]
    if idle:
        raise WrongUse(f"--set changes {idle[0]!r}, which is not among --methods {methods!r}")
    for choice in found:
        if choice.changes:
            _try(choice)
    return list(found.values())


def row_names(text: str) -> list[str]:
    """The rows that a list names, by comma outside brackets.

    A semicolon in it separates instead: the label of a submitted row may hold a comma or a quote.
    """
    return [part.strip() for part in text.split(";")] if ";" in text else _split(text)


def read_item(text: str) -> tuple[str, dict[str, Any]]:
    """The name and the parameters of `name(parameter=value, ...)`, brackets if there are any."""
    item = _ITEM.fullmatch(text)
    if item is None:
        raise WrongUse(
            f"cannot read {text!r} in --methods; expected names or "
            "name(parameter=value), separated by commas"
        )
    return item.group(1), _arguments(item.group(2) or "")


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
