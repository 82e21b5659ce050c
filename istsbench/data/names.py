"""How people name data sets and their results on a command line: one parser for every command.

A name is one that `istsbench list datasets` shows, or `folder:PATH`. Several are joined by
commas. A name that holds a comma stands in double quotes, as in nuaa,"folder:/data/a, b"; the
quotes may also begin after `folder:`. Spaces around a name count for nothing, those inside do.
"""

from __future__ import annotations

import re

from istsbench.errors import WrongUse

FOLDER = "folder:"
_ITEM = re.compile(r'(?:[^,"]|"[^"]*")*')


def split_names(text: str) -> list[str]:
    """The names in a list; raises `WrongUse` for none, and for a quote without its partner."""
    if text.count('"') % 2:
        raise WrongUse(f'{text}: a double quote without its partner; expected NAME,"folder:A, B"')
    names, place = [], 0
    while place <= len(text):
        item = _ITEM.match(text, place)
        assert item is not None  # it matches nothing as well
        names.append(item[0].strip().replace('"', "").strip())
        place = item.end() + 1
    named = [name for name in names if name]
    if not named:
        raise WrongUse(f"{text!r} names nothing; expected names of data sets by comma")
    return named


def one_name(text: str) -> str:
    """The one name that a text holds; raises `WrongUse` for several."""
    names = split_names(text)
    if len(names) > 1:
        raise WrongUse(
            f"{text!r} names {len(names)} data sets, this command takes one; a path with a comma "
            "stands in double quotes"
        )
    return names[0]


def quoted(name: str) -> str:
    """The name as `split_names` reads it back."""
    return f'"{name}"' if "," in name or name != name.strip() else name
