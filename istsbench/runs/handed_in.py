"""A method as Python code hands it in: a name, a class, an instance, or a function."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from istsbench.errors import BrokenMethod, WrongUse
from istsbench.provenance import look_anew
from istsbench.registry import ENTRY_POINTS, Choice, choose
from istsbench.segmenter import Segmenter, named_rule
from istsbench.threshold import OF_MASKS, UNNAMED, Threshold
from istsbench.unregistered import FUNCTION, as_method

Method = str | Segmenter | type[Segmenter] | Callable[..., Any]
"""What may be handed in: names as `--methods` takes them, or the method itself."""


def chosen(
    method: Method, label: str | None = None, threshold: Threshold | None = None
) -> list[Choice]:
    """The methods that were handed in; several only where a text names several.

    `label` and `threshold` are for a function, which has neither. Raises `WrongUse` for what is
    no method, with what was expected.
    """
    if isinstance(method, str):
        if label is not None or threshold is not None:
            raise WrongUse("label and threshold are for a function; a named method has its own")
        return choose(method)
    name = " ".join((label or _name(method)).split())
    what = f"the method {name!r}"
    look_anew()  # a class made in a notebook may use other values than the last time
    try:
        found = as_method(method, name, what, threshold)
        made = found if isinstance(found, Segmenter) else found()
    except BrokenMethod as error:
        raise WrongUse(str(error)) from error
    except TypeError as error:  # an abstract class, a class with parameters without defaults
        raise WrongUse(f"{what} cannot be made: {error}") from error
    if isinstance(method, Segmenter) or isinstance(method, type):
        if label is not None or threshold is not None:
            raise WrongUse(f"{what} has a card and a threshold of its own; expected neither")
        return [Choice(_spelled(type(made)), _changes(made), origin=lambda: made)]
    # In brackets, so that no function takes the row of a registered method.
    return [Choice(f"{FUNCTION}({name})", origin=lambda: made)]


def rule_told(method: Segmenter, masks: bool) -> tuple[str, ...]:
    """What is to be said of the rule of a method that names none; nothing of others.

    `masks` tells whether its maps are of type bool.
    """
    if named_rule(method) is not None:
        return ()
    if masks:
        return (f"no threshold rule is named, the maps are masks of type bool: {OF_MASKS!r}",)
    return (f"no threshold rule is named: {UNNAMED!r} (masks of type bool: {OF_MASKS!r})",)


def _name(method: object) -> str:
    name = getattr(method, "__name__", type(method).__name__)
    return "lambda" if name == "<lambda>" else str(name)


def _spelled(kind: type[Segmenter]) -> str:
    """The registered name of a class, else package.module:Class."""
    place = f"{kind.__module__}:{kind.__qualname__}"
    names = (one.name for one in entry_points(group=ENTRY_POINTS) if one.value == place)
    return next(names, place)


def _changes(method: Segmenter) -> tuple[tuple[str, Any], ...]:
    """The parameters that are not as the class has them."""
    found = {}
    for one in dataclasses.fields(method):
        value = getattr(method, one.name)
        if one.compare and value != one.default:
            found[one.name] = str(value) if isinstance(value, Path) else value
    return tuple(sorted(found.items()))
