"""Methods that are not registered: a class, an instance or a function, by file or by module.

    mine.py:detect          in a file, whose path may have folders
    mypackage.module:Mine   in a module that can be imported, from the working folder too

What such a text names is found only when the method is made; that there is such a file or
module is checked before. A function from image to map becomes a method with the same
promises as a class: float64 (H, W) in, a finite map of the same size out, none below 0.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import re
import sys
from collections.abc import Callable, Container, Mapping
from functools import cache
from importlib.metadata import EntryPoint
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from istsbench.errors import BrokenMethod, WrongUse
from istsbench.provenance import LOOSE, STATE, imported_names, is_beside, state_hash
from istsbench.segmenter import Card, Segmenter
from istsbench.threshold import UNNAMED, Threshold

FUNCTION = "function"  # begins the row of a function that was handed in: function(LABEL)
UNPUBLISHED, GROUP = 9999, "own"  # the year of what was never published, and the group
_FORM = re.compile(r"(?P<place>.+\.py|[\w.]*):(?P<name>.*)", re.DOTALL)
_PLAIN = (bool, int, float, str, tuple, type(None))
FORMS = "expected package.module:Class or FILE.py:NAME"


def is_own(text: str) -> bool:
    """Whether a text is of one of the two forms, and not a name."""
    return _FORM.fullmatch(text) is not None


def is_users(spec: str, group: str) -> bool:
    """Whether a row is the user's own: of predictions, or of a method that is not registered."""
    return group == "submitted" or is_unregistered(spec)


def is_unregistered(spec: str) -> bool:
    """Whether a row is of a method that is not registered: by file, by module, or handed in."""
    return is_own(spec) or spec.startswith(f"{FUNCTION}(")


def check_typed(name: str) -> None:
    """Raise `WrongUse` for the row of a function that was handed in: only its session has it."""
    if name == FUNCTION:
        raise WrongUse(
            f"rows called {FUNCTION}(...) are of functions that a Python session handed to "
            "istsbench.evaluate; expected a name, FILE.py:NAME or package.module:NAME"
        )


def titled(text: str) -> str:
    """The name that results have: `mine.py:detect`, wherever the file lies.

    Raises `WrongUse` if there is no such file or module.
    """
    place, name = _parts(text)
    if not name.isidentifier():
        raise WrongUse(f"{text!r} names no class or function; {FORMS}")
    if place.endswith(".py"):
        path = Path(place).expanduser()
        if not path.is_file():
            raise WrongUse(f"{text}: there is no file {path.absolute()}; {FORMS}")
        return f"{path.name}:{name}"
    _import_from(Path.cwd())
    try:
        known = bool(place) and find_spec(place) is not None
    except (ImportError, ValueError):
        known = False
    if not known:
        raise WrongUse(
            f"{text!r} names no class that can be found; expected package.module:Class, installed "
            "or below the working directory, FILE.py:NAME, or a name of `istsbench list`"
        )
    return text


def resolved(text: str) -> str:
    """The text with the path of its file made absolute, so that it holds in any folder."""
    place, name = _parts(text)
    return f"{Path(place).expanduser().resolve()}:{name}" if place.endswith(".py") else text


def load(text: str) -> type[Segmenter] | Segmenter:
    """The class or the instance that a text names, or the class made of a function.

    A file is read anew at each call. Raises `BrokenMethod` with the cause.
    """
    place, name = _parts(text)
    if not place.endswith(".py"):
        entry = EntryPoint(text, text, "")
        return as_method(load_entry(entry), text, described(entry))
    path = Path(place)
    what = f"method {path.name}:{name} ({path})"
    module = _module(path, what)
    if not hasattr(module, name):
        there = [key for key in vars(module) if not key.startswith("_")]
        raise BrokenMethod(
            f"{what} cannot be loaded: the file defines no {name!r}; it has: "
            f"{', '.join(there) or 'no name'}"
        )
    return as_method(getattr(module, name), f"{path.name}:{name}", what)


def described(entry: EntryPoint) -> str:
    """How messages call the method of an entry point."""
    return f"method {entry.name!r} ({entry.value})"


def load_entry(entry: EntryPoint) -> object:
    """What an entry point names; raises `BrokenMethod` with the cause."""
    try:
        return entry.load()
    except (Exception, SystemExit) as error:
        raise BrokenMethod(
            f"{described(entry)} cannot be loaded: {type(error).__name__}: {error}"
        ) from error


def as_class(found: object, what: str) -> type[Segmenter]:
    """A class of methods; raises `BrokenMethod` for anything else, which messages call `what`."""
    if not (isinstance(found, type) and issubclass(found, Segmenter)):
        raise BrokenMethod(f"{what} is {found!r}, expected a subclass of Segmenter")
    if not isinstance(getattr(found, "card", None), Card):
        raise BrokenMethod(f"{what} has no card")
    return found


def as_method(
    found: object, label: str, what: str, rule: Threshold | None = None
) -> type[Segmenter] | Segmenter:
    """What was handed in as a method: a class, an instance, or a function from image to map.

    A function gets the label and, if one is given, the rule.

    Raises `BrokenMethod` for anything else, also for a module of torch: it takes tensors.
    """
    if isinstance(found, Segmenter):
        as_class(type(found), what)
        return found
    if isinstance(found, type) and issubclass(found, Segmenter):
        return as_class(found, what)
    torch = sys.modules.get("torch")
    kind = found if isinstance(found, type) else type(found)
    if torch is not None and issubclass(kind, torch.nn.Module):
        raise BrokenMethod(
            f"{what} is a torch module, whose input and output are tensors; expected a function "
            "from an image, float64 (H, W) of 0..255, to a map (H, W): write one that makes the "
            "tensor, calls the module, and returns a numpy array"
        )
    if isinstance(found, type) or not callable(found):
        raise BrokenMethod(
            f"{what} is {found!r}, expected a subclass of Segmenter, an instance of one, or a "
            "function from image to map"
        )
    try:
        return of_function(found, label, rule)
    except TypeError as error:
        raise BrokenMethod(f"{what}: {error}") from error


def of_function(
    function: Callable[..., Any], label: str, rule: Threshold | None = None
) -> type[Segmenter]:
    """A class of methods whose `score` is the function; its first parameter is the image.

    Parameters of the function with a plain default (number, word, tuple) are those of the
    method. `function.threshold` and `function.card` are taken where they are there; else the
    rule is the given one, or none is named. Raises `TypeError` if it takes no image alone.
    """
    fields = _parameters(function)
    shown: Any = rule or getattr(function, "threshold", None)
    card = getattr(function, "card", Card(label, GROUP, "", UNPUBLISHED, "", "unpublished"))
    ruled = UNNAMED if shown is None else shown
    for key, value, kind in (("threshold", ruled, Threshold), ("card", card, Card)):
        if not isinstance(value, kind):
            raise TypeError(f"its {key} is {value!r}, expected a {kind.__name__}")
    # What a function uses may change between two calls, and then it is another method.
    state = "" if _is_in_file(function, _module_of(function)) else state_hash(function)
    told = function, label, rule, shown, card, tuple(fields.items()), state
    try:
        return _cached(*told)
    except TypeError as error:
        if "unhashable" not in str(error):
            raise
        return _of_function(*told)


def _of_function(
    function: Callable[..., Any],
    label: str,
    given: Threshold | None,
    rule: Threshold | None,
    card: Card,
    parameters: tuple[tuple[str, Any], ...],
    state: str,
) -> type[Segmenter]:
    fields = dict(parameters)

    def score(self: Segmenter, image: Any) -> Any:
        return function(image, **{key: getattr(self, key) for key in fields})

    def reduced(self: Segmenter) -> tuple:
        return _again, (function, label, given, {key: getattr(self, key) for key in fields})

    module = _module_of(function)
    inside: dict[str, Any] = {
        "__module__": module, "__doc__": inspect.getdoc(function), "__reduce__": reduced,
        "score": score, "card": card,
        "excused": {"card_is_complete": "a function has no card"},
    }  # fmt: skip
    if hasattr(function, "card"):
        del inside["excused"]
    if rule is not None:
        inside["threshold"] = rule
    if state:
        inside[STATE] = state
    listed = [(key, _kind(one), dataclasses.field(default=one)) for key, one in fields.items()]
    name = re.sub(r"\W", "_", getattr(function, "__name__", type(function).__name__))
    made = dataclasses.make_dataclass(
        name, listed, bases=(Segmenter,), namespace=inside, frozen=True
    )
    made.__module__ = module  # else it would be this one
    return made


_cached = cache(_of_function)


def _again(
    function: Callable[..., Any], label: str, rule: Threshold | None, values: Mapping[str, Any]
) -> Segmenter:
    return of_function(function, label, rule)(**values)


def _module_of(function: object) -> str:
    return getattr(function, "__module__", None) or type(function).__module__


def _is_in_file(function: object, module: str) -> bool:
    """Whether the sources of its module tell all of a function: it closes over nothing."""
    known = sys.modules.get(module) if module != "__main__" else None
    return getattr(known, getattr(function, "__qualname__", ""), None) is function


def _parameters(function: Callable[..., Any]) -> dict[str, Any]:
    """The parameters behind the image with their plain defaults."""
    try:
        image, *others = inspect.signature(function).parameters.values()
    except ValueError:  # none, or a function of C that does not tell
        raise TypeError("it takes no image; expected a function from image to map") from None
    needed = [
        one.name
        for one in others
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    if needed or image.kind in (image.KEYWORD_ONLY, image.VAR_KEYWORD):
        raise TypeError(
            f"it needs {', '.join(needed) or image.name} by name; expected a function that can be "
            "called with an image alone"
        )
    return {
        one.name: one.default
        for one in others
        if isinstance(one.default, _PLAIN) and one.kind is not one.POSITIONAL_ONLY
    }


def _kind(value: Any) -> type:
    """What a parameter may be; where its default is 3, 2.5 is meant to be possible."""
    return float if type(value) is int else type(value)


def _parts(text: str) -> tuple[str, str]:
    found = _FORM.fullmatch(text)
    assert found is not None
    return found["place"], found["name"].strip()


def _import_from(folder: Path) -> None:
    """Let modules of a folder be imported, after all others."""
    if str(folder) not in sys.path and not (folder == Path.cwd() and "" in sys.path):
        sys.path.append(str(folder))


def _module(path: Path, what: str) -> Any:
    """The file as a module, run anew; what lies beside it can be imported by it."""
    from cloudpickle import register_pickle_by_value

    place = hashlib.sha256(str(path.parent).encode()).hexdigest()[:8]
    name = f"{LOOSE}{place}_{re.sub(r'[^0-9A-Za-z_]', '_', path.stem)}"
    spec = spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module
    _import_from(path.parent)
    try:
        source = path.read_bytes()
        exec(compile(source, str(path), "exec"), module.__dict__)  # no stale .pyc of this second
        _check_neighbours(path, {one.partition(".")[0] for one in imported_names(source, name)})
    except (Exception, SystemExit) as error:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        if isinstance(error, BrokenMethod):
            raise
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise BrokenMethod(
            f"{what} cannot be loaded: {type(error).__name__}: {error}{line}"
        ) from error
    register_pickle_by_value(module)  # another process cannot import it by its name
    return module


_neighbours: dict[str, str] = {}  # files beside loose ones -> their hash when they were imported


def _check_neighbours(path: Path, imported: Container[str]) -> None:
    """Refuse what was imported from beside a file in another state than it has now."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        top = name.partition(".")[0]
        if not file or name.startswith(LOOSE) or not is_beside(top, path.parent):
            continue
        if path.parent not in Path(file).parents:
            if name in imported and (path.parent / f"{name}.py").is_file():
                raise BrokenMethod(
                    f"{path.parent / top}.py is hidden by {file}, which Python imports under this "
                    "name; call it otherwise"
                )
            continue
        try:
            now = hashlib.sha256(Path(file).read_bytes()).hexdigest()
        except OSError:
            continue
        if _neighbours.setdefault(file, now) != now:
            raise BrokenMethod(
                f"{file} was changed after it was imported in this session; start a new one"
            )
