"""The words of tables, footers and messages, each explained in a line or two."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from istsbench.errors import UnknownName

POINTER = "Words of this table: istsbench glossary"
_ENTRY = re.compile(r"^- \*\*(.+?)\*\*: (.*(?:\n  .*)*)", re.MULTILINE)
_SECOND = re.compile(r"\*\*([^*]+)\*\*: ")


@dataclass(frozen=True)
class Explained:
    """What one word, or several that go together, mean."""

    words: tuple[str, ...]
    text: str


def glossary_page() -> str:
    """The glossary in Markdown; docs/glossary.md is the same."""
    return files(__package__).joinpath("glossary.md").read_text(encoding="utf-8")


@cache
def glossary_entries() -> tuple[Explained, ...]:
    """Every entry in the order of the page."""
    found = []
    for heads, text in _ENTRY.findall(glossary_page()):
        words = [heads, *_SECOND.findall(text)]
        names = [name.strip() for word in words for name in re.split(r", (?![^\[]*\])", word)]
        found.append(Explained(tuple(names), " ".join(text.replace("**", "").split())))
    return tuple(found)


def explained(word: str) -> Explained:
    """The entry of a word, in capitals or not; raises `UnknownName` with close matches."""
    known = {name.casefold(): entry for entry in glossary_entries() for name in entry.words}
    asked = " ".join(word.split()).casefold()
    if asked not in known:
        names = [name for entry in glossary_entries() for name in entry.words]
        raise UnknownName("word", word, names)
    return known[asked]
