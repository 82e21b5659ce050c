"""What `istsbench list` and `istsbench info` print."""

from __future__ import annotations

import dataclasses
import inspect

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from istsbench import registry
from istsbench.data.datasets import NAMES, SOURCES
from istsbench.segmenter import Card, Segmenter, parameter_help
from istsbench.threshold import RULES
from istsbench.unregistered import is_own


def _console() -> Console:
    return Console(width=None if Console().is_terminal else 160, emoji=False)


def _table(title: str, *heads: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    return table


def show(what: str) -> None:
    """Print one of the listings: methods, datasets, rules, groups."""
    console = _console()
    console.print(
        {"methods": _methods, "datasets": _datasets, "rules": _rules, "groups": _groups}[what]()
    )


def _methods() -> Table:
    table = _table("methods", "name", "label", "group", "venue", "year", "status")
    for name, card in registry.cards().items():
        if isinstance(card, Card):
            cells = name, card.label, card.group, card.venue, str(card.year), card.status
        else:
            cells = name, "", "", "", "", f"broken: {card}"
        table.add_row(*map(escape, cells))
    return table


def _datasets() -> Table:
    table = _table("data sets", "name", "title", "home")
    for name in NAMES:
        source = SOURCES.get(name)
        table.add_row(
            name,
            source.title if source else "scenes from a seed",
            source.where if source else "embedded",
        )
    table.add_row("folder:PATH", "any folder of images/ and masks/", "yours")
    return table


def _rules() -> Table:
    table = _table("threshold rules", "name", "what it does")
    for name, text in RULES.items():
        table.add_row(name, text)
    return table


def _groups() -> Table:
    table = _table("groups", "name", "methods")
    for name, members in registry.groups().items():
        table.add_row(escape(name), escape(", ".join(members)))
    return table


def bibtex_of(name: str) -> str:
    """The publication of a method as an entry of BibTeX, of its card alone if no more is known."""
    from istsbench.tables.references import of_card

    return of_card(registry.info(name).card).bibtex()


def _kind(name: str) -> type[Segmenter]:
    """The class behind a registered name, or behind a method of one's own as `run` takes it."""
    if not is_own(name):
        return registry.info(name)
    (choice,) = registry.choose(name)
    return type(choice.create())


def show_method(name: str) -> None:
    """Print all that is known of a method."""
    from istsbench.metrics import RATIOS
    from istsbench.tables.published import paper_table

    kind, console = _kind(name), _console()
    card = kind.card
    cited = f"({name}), {card.venue} {card.year}, {card.doi}"
    if card.status == "unpublished":
        cited = f"({name}), unpublished"
    console.print(f"[bold]{escape(card.label)}[/bold] {escape(cited)}")
    rule = f"group {card.group}, status {card.status}, own rule {kind.threshold!r}\n"
    console.print(rule, markup=False)
    console.print(inspect.cleandoc(inspect.getmodule(kind).__doc__ or ""), markup=False)  # type: ignore[union-attr]
    table, known = _table("\nparameters", "name", "default", "meaning"), parameter_help(kind)
    for field in dataclasses.fields(kind):
        table.add_row(field.name, escape(repr(field.default)), escape(known.get(field.name, "")))
    console.print(table)
    rows = paper_table().query("label == @card.label")
    if len(rows):
        paper = _table("\nthe paper's row in Table VI", "data set", "P", "R", "F1", "IoU")
        for dataset, part in rows.groupby("dataset"):
            values = part.set_index("metric")["value"]
            paper.add_row(str(dataset), *(f"{values[ratio]:.2f}" for ratio in RATIOS))
        console.print(paper)
