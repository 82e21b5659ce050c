"""From what a user types to methods: names, groups, and changed parameters.

"all"   "hvs,ipi"   "tophat(size=7),ipi"   and, besides, "ipi.step=15"
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from istsbench import registry
from istsbench.registry import BrokenMethod, UnknownName
from istsbench.segmenter import Segmenter

_ITEM = re.compile(r"\s*([\w-]+)\s*(\([^()]*\))?\s*(?:,|$)")


@dataclass(frozen=True)
class Choice:
    """A method with the parameters that were changed."""

    name: str
    changes: tuple[tuple[str, Any], ...] = ()

    @property
    def spec(self) -> str:
        """`name` or `name(key=value, ...)`, what identifies it in results."""
        changes = ", ".join(f"{key}={value!r}" for key, value in self.changes)
        return f"{self.name}({changes})" if changes else self.name

    @property
    def file(self) -> str:
        """The spec in characters that every file system takes."""
        return re.sub(r"[^\w.=-]+", "_", self.spec).strip("_")

    def create(self) -> Segmenter:
        return registry.create(self.name, **dict(self.changes))


def choose(methods: str, changes: Iterable[str] = ()) -> list[Choice]:
    """The methods that a comma-separated list names, without repetition, in its order.

    `changes` are `method.parameter=value` and apply to that method wherever it is chosen.
    Raises `UnknownName` or `ValueError` with what was given and what was expected.
    """
    groups, known = registry.groups(), registry.names()
    extra: dict[str, dict[str, Any]] = {}
    for change in changes:
        target, equals, value = change.partition("=")
        name, dot, key = target.strip().partition(".")
        if not (dot and equals):
            raise ValueError(f"--set got {change!r}, expected METHOD.PARAMETER=VALUE")
        if name not in known:
            raise UnknownName("method", name, known)
        extra.setdefault(name, {})[key] = _value(value)
    found: dict[Choice, None] = {}
    position = 0
    while position < len(methods.rstrip(" ,")):
        item = _ITEM.match(methods, position)
        if item is None:
            raise ValueError(
                f"cannot read {methods[position:]!r} in --methods; expected names or "
                "name(parameter=value), separated by commas"
            )
        position = item.end()
        name, given = item.group(1), _arguments(item.group(2) or "()")
        if name not in known and name not in groups:
            raise UnknownName("method or group", name, [*groups, *known])
        if given and name not in known:
            raise ValueError(f"{name!r} is a group; parameters belong to a single method")
        for member in [name] if name in known else groups[name]:
            merged = {**extra.get(member, {}), **given}
            found[Choice(member, tuple(sorted(merged.items())))] = None
    if not found:
        raise ValueError(f"--methods {methods!r} names no method")
    for choice in found:
        if choice.changes:
            try:
                choice.create()
            except BrokenMethod:
                continue  # the run records it and goes on
    return list(found)


def _arguments(text: str) -> dict[str, Any]:
    inside = text[1:-1].strip()
    found = {}
    for part in filter(None, (piece.strip() for piece in inside.split(","))):
        key, equals, value = part.partition("=")
        if not equals or not key.strip().isidentifier():
            raise ValueError(f"cannot read the parameter {part!r}, expected name=value")
        found[key.strip()] = _value(value)
    return found


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return text.strip()
