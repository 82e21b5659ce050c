"""Whom to cite: BibTeX entries of just the methods and data sets in use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from istsbench import registry
from istsbench.segmenter import Card
from istsbench.tables.published import read_paper

_FIELDS = ("title", "venue", "year", "volume", "number", "pages", "doi")
_VENUE = {"article": "journal", "inproceedings": "booktitle", "misc": "howpublished"}


@dataclass(frozen=True)
class Reference:
    """A publication; `doi` is a DOI or a URL, empty fields are left out."""

    key: str
    kind: str  # an entry type of BibTeX
    authors: str  # in BibTeX's form, joined by "and"
    title: str
    venue: str
    year: str
    volume: str = ""
    number: str = ""
    pages: str = ""
    doi: str = ""

    def bibtex(self) -> str:
        fields = {"author": self.authors}
        for name in _FIELDS:
            value = getattr(self, name)
            if name == "venue":
                fields[_VENUE[self.kind]] = value
            elif name == "doi":
                fields["url" if value.startswith("http") else "doi"] = value
            elif name == "title":
                fields[name] = f"{{{value}}}"  # keeps its capitals
            elif name == "pages":
                fields[name] = value.replace("-", "--")
            else:
                fields[name] = value
        lines = [
            f"  {name} = {{{_safe(name, value)}}},"
            for name, value in fields.items()
            if value and value != "{}"
        ]
        return "\n".join([f"@{self.kind}{{{self.key},", *lines, "}"])


def _safe(name: str, value: str) -> str:
    return value if name in ("doi", "url") else re.sub(r"(?<!\\)([&%#_])", r"\\\1", value)


@cache
def _known() -> tuple[dict[str, Reference], dict[str, Reference]]:
    """The shipped references by the DOI of a card, and by the name of a data set."""
    cards, datasets = dict[str, Reference](), dict[str, Reference]()
    frame = read_paper("references", dtype=str, keep_default_na=False)
    for record in frame.to_dict("records"):
        line = {str(key): str(value) for key, value in record.items()}
        names = line.pop("datasets").split()
        reference = Reference(**line)
        cards[reference.doi.lower()] = reference
        datasets |= dict.fromkeys(names, reference)
    return cards, datasets


def of_card(card: Card) -> Reference:
    """A method's publication; made of the card alone if the suite does not know it."""
    known = _known()[0].get(card.doi.lower())
    if known is not None:
        return known
    key = re.sub(r"[^a-z0-9]", "", card.label.lower()) + str(card.year)
    return Reference(key, "misc", "", card.label, card.venue, str(card.year), doi=card.doi)


def of_dataset(name: str) -> Reference | None:
    """The publication of a data set, None for synthetic ones and one's own."""
    return _known()[1].get(name)


def of_method(spec: str) -> Reference | None:
    """The publication of a method by its spec, None if no such method is registered."""
    card = registry.cards().get(spec.partition("(")[0])
    return of_card(card) if isinstance(card, Card) else None


def is_of_package(spec: str) -> bool:
    """Whether a method is one that ships with this package, whose paper is known."""
    card = registry.cards().get(spec.partition("(")[0])
    return isinstance(card, Card) and card.doi.lower() in _known()[0]


def bibliography(references: Iterable[Reference | None]) -> str:
    """A .bib file, each publication once, by year and key."""
    unique = {reference.key: reference for reference in references if reference is not None}
    ordered = sorted(unique.values(), key=lambda reference: (reference.year, reference.key))
    return "\n\n".join([*(reference.bibtex() for reference in ordered), ""])
